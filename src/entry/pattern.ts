// Patterns with wildcards, resolved to tags: nothing is ever searched for by pattern, in no store.
import { ReportCacheError } from '../contract/errors.js';
import { EVERYTHING, keyTag, tag, wholeKind, type Tag } from './tags.js';

export interface ResolvedPattern {
  readonly tags: readonly Tag[];
  /** `false`: no single tag says exactly this, so a somewhat larger set is invalidated. */
  readonly exact: boolean;
}

/**
 * Understands, with `*` for whole segments only:
 * `*` everything; `report:<report>:*` every copy of a report; `report:*:<viewer>:*` everything of a viewer;
 * `<kind>:<id>` and `<kind>:<id>:*` what is about it; `<kind>:*` what is about any of the kind; `<type>:*` every report of a type;
 * `<type>:<kind>:<id>:*` what is about it, of whichever type (a superset, `exact: false`).
 * Ids are as they appear in keys, or raw where they need no encoding.
 * @param types the declared report types, to tell `<type>:*` from `<kind>:*`.
 * @throws ERC_PATTERN for anything else: a pattern that means nothing must not look as if it had worked.
 */
export function resolvePattern(pattern: string, types: ReadonlySet<string>): ResolvedPattern {
  const wrong = () => new ReportCacheError('ERC_PATTERN', `"${pattern}" is no pattern that this cache understands.`);
  if (typeof pattern !== 'string') throw wrong();
  if (pattern === '*' || pattern === 'report:*') return { tags: [EVERYTHING], exact: true };
  const segments = pattern.split(':');
  while (segments.length > 1 && segments.at(-1) === '*') segments.pop();
  const [first = '', ...rest] = segments;
  // A whole key, in which the `*` of a shared entry's viewer is no wildcard.
  if (first === 'report' && rest.length === 3 && !segments.includes('') && !/\*/.test(`${rest[0]}${rest[2]}`)) {
    if (/\s/.test(pattern)) throw wrong(); // what is in a key is encoded
    return { tags: [keyTag(segments.join(':'))], exact: true };
  }
  if (segments.some((segment) => segment === '' || (segment !== '*' && segment.includes('*')))) throw wrong();
  if (first === '*') throw wrong();
  if (first === 'report') {
    const [report, viewer] = rest;
    if (report === undefined || rest.length > 2) throw wrong();
    if (report === '*') {
      if (viewer === undefined) return { tags: [EVERYTHING], exact: true };
      return { tags: [named('viewer', viewer.split('!')[0] ?? '')], exact: !viewer.includes('!') };
    }
    return { tags: [named('report', report)], exact: viewer === undefined };
  }
  if (types.has(first)) {
    if (rest.length === 0) return { tags: [tag('type', first)], exact: true };
    const [kind, id] = rest;
    if (kind === undefined || id === undefined || rest.length > 2) {
      if (rest.length === 1) return { tags: [tag('type', first)], exact: false };
      throw wrong();
    }
    return { tags: [named(kind, id)], exact: false };
  }
  if (rest.length === 0 && pattern.endsWith(':*')) return { tags: [wholeKind(first)], exact: true };
  if (rest.length === 1 && rest[0] !== undefined && rest[0] !== '*')
    return { tags: [named(first, rest[0])], exact: true };
  throw wrong();
}

/** An id that is already encoded stays as it is. */
function named(kind: string, id: string): Tag {
  return /^[A-Za-z0-9._%~-]+$/.test(id) ? (tag(kind, 'x').replace(/x$/, () => id) as Tag) : tag(kind, id);
}
