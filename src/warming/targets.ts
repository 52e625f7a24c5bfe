// Pure: targets as the application lists them, told apart from what they cannot be.
import type { Share } from '../contract/identity.js';
import type { Reader, WarmTarget, WarmTargets } from '../contract/warming.js';
import { parseFilters, type Filters, type ParsedFilters } from '../entry/filters.js';
import { identitySegment } from '../entry/key.js';

/** At most so many; who lists more has the rest left out. */
export async function upTo(most: number, targets: WarmTargets): Promise<WarmTarget[]> {
  const found: WarmTarget[] = [];
  if (most <= 0) return found;
  for await (const target of await targets) {
    found.push(target);
    if (found.length >= most) break;
  }
  return found;
}

/** The filters of a target, as a reader's query would have been parsed. @throws where one does not fit */
export function filtersOf(declared: Filters, given: WarmTarget['filters'] = {}): ParsedFilters {
  const parsed = parseFilters(declared, asInQuery(given));
  if (!parsed.ok) throw new TypeError(`The filter ${parsed.parameter} is not ${parsed.expected}.`);
  const [stranger] = parsed.unknown;
  if (stranger !== undefined) throw new TypeError(`There is no filter ${stranger}.`);
  return parsed.values;
}

function asInQuery(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(asInQuery);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asInQuery(member)]));
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
}

/** The identity's place in the key. Who shares a report need not be named. @throws where it is not good enough */
export function segmentOf(identity: Reader, share: Share): string {
  const somebody = share === 'user' ? identity.user : (identity.user ?? '-');
  const segment = identitySegment(somebody === undefined ? undefined : { ...identity, user: somebody }, share);
  if (segment === undefined) throw new TypeError('The target names nobody whose report it would be.');
  return segment;
}
