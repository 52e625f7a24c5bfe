// Raw options around the end of a ttl to resolved ones.
import { ReportCacheError } from '../contract/errors.js';
import type { AdaptiveTtl, Freshness } from '../contract/reading.js';
import { onlyKnown, wrong } from './checks.js';
import { DEFAULTS } from './defaults.js';
import { parseDuration } from './duration.js';
import type { TypeOptions } from './options.js';

export interface FreshnessPolicy {
  readonly freshness: Freshness;
  readonly softTimeoutMs: number;
  /** `Infinity`: none. */
  readonly hardTimeoutMs: number;
  readonly restAfterErrorMs: number;
}

/** Beyond it reports are computed many times in one ttl. */
const MOST_BETA = 10;

/** What is not set is as in `base`. @throws ERC_OPTION */
export function parseFreshness(
  options: TypeOptions,
  ttlMs: number,
  base: FreshnessPolicy | undefined,
  path: string,
): FreshnessPolicy {
  const { grace, jitter, refreshAhead, softTimeout, hardTimeout, restAfterError } = options;
  const before = base?.freshness;
  const graceMs =
    grace === undefined && before ? before.graceMs : parseDuration(grace ?? DEFAULTS.grace, `${path}.grace`);
  const adaptive = parseAdaptive(options.adaptiveTtl, before, `${path}.adaptiveTtl`);
  // A ttl of nothing switches the cache off, and asks for nothing else.
  if (adaptive !== undefined && ttlMs > 0) checkAdaptive(adaptive, ttlMs, graceMs, `${path}.adaptiveTtl`);
  return {
    freshness: {
      graceMs,
      jitter:
        jitter === undefined && before ? before.jitter : parseNumber(jitter ?? DEFAULTS.jitter, 0.5, `${path}.jitter`),
      refreshAhead:
        refreshAhead === undefined && before
          ? before.refreshAhead
          : parseBeta(refreshAhead ?? DEFAULTS.refreshAhead, `${path}.refreshAhead`),
      ...(adaptive !== undefined && { adaptive }),
    },
    softTimeoutMs:
      softTimeout === undefined && base
        ? base.softTimeoutMs
        : parseDuration(softTimeout ?? DEFAULTS.softTimeout, `${path}.softTimeout`),
    restAfterErrorMs:
      restAfterError === undefined && base
        ? base.restAfterErrorMs
        : parseDuration(restAfterError ?? DEFAULTS.restAfterError, `${path}.restAfterError`),
    hardTimeoutMs:
      hardTimeout === undefined ? (base?.hardTimeoutMs ?? Infinity) : parseLimit(hardTimeout, `${path}.hardTimeout`),
  };
}

function parseAdaptive(
  given: TypeOptions['adaptiveTtl'],
  before: Freshness | undefined,
  option: string,
): AdaptiveTtl | undefined {
  if (given === undefined && before) return before.adaptive;
  const wanted = given ?? DEFAULTS.adaptiveTtl;
  if (typeof wanted === 'boolean') return wanted ? {} : undefined;
  if (typeof wanted !== 'object') throw wrong(option, wanted, 'true, false, or { min, max }');
  onlyKnown(wanted, ['min', 'max'], `${option}.`);
  const { min, max } = wanted;
  return {
    ...(min !== undefined && { minMs: parseDuration(min, `${option}.min`) }),
    ...(max !== undefined && { maxMs: parseDuration(max, `${option}.max`) }),
  };
}

function checkAdaptive({ minMs = 1, maxMs = Infinity }: AdaptiveTtl, ttlMs: number, graceMs: number, option: string) {
  if (graceMs <= 0)
    throw new ReportCacheError(
      'ERC_OPTION',
      `${option} needs a grace: what is gone when its ttl is over cannot be compared.`,
    );
  if (minMs < 1 || minMs > ttlMs) throw wrong(`${option}.min`, `${minMs}ms`, `a duration up to the ttl, ${ttlMs}ms`);
  if (maxMs < ttlMs) throw wrong(`${option}.max`, `${maxMs}ms`, `a duration from the ttl on, ${ttlMs}ms`);
}

function parseBeta(value: unknown, option: string): number {
  return typeof value === 'boolean' ? Number(value) : parseNumber(value, MOST_BETA, option);
}

function parseLimit(value: unknown, option: string): number {
  const ms = parseDuration(value, option);
  if (ms > 0) return ms;
  throw new ReportCacheError('ERC_OPTION', `${option} is ${JSON.stringify(value)}; nothing is loaded in no time.`);
}

function parseNumber(value: unknown, most: number, option: string): number {
  if (typeof value === 'number' && value >= 0 && value <= most) return value;
  throw wrong(option, value, `a number from 0 to ${most}`);
}
