// Raw options around the end of a ttl to resolved ones.
import { ReportCacheError } from '../contract/errors.js';
import type { Freshness } from '../contract/reading.js';
import { DEFAULTS } from './defaults.js';
import { parseDuration } from './duration.js';
import type { TypeOptions } from './options.js';

export interface FreshnessPolicy {
  readonly freshness: Freshness;
  readonly softTimeoutMs: number;
  /** `Infinity`: none. */
  readonly hardTimeoutMs: number;
}

/** Beyond it reports are computed many times in one ttl. */
const MOST_BETA = 10;

/** What is not set is as in `base`. @throws ERC_OPTION */
export function parseFreshness(options: TypeOptions, base: FreshnessPolicy | undefined, path: string): FreshnessPolicy {
  const { grace, jitter, refreshAhead, softTimeout, hardTimeout } = options;
  const before = base?.freshness;
  return {
    freshness: {
      graceMs: grace === undefined && before ? before.graceMs : parseDuration(grace ?? DEFAULTS.grace, `${path}.grace`),
      jitter:
        jitter === undefined && before ? before.jitter : parseNumber(jitter ?? DEFAULTS.jitter, 0.5, `${path}.jitter`),
      refreshAhead:
        refreshAhead === undefined && before
          ? before.refreshAhead
          : parseBeta(refreshAhead ?? DEFAULTS.refreshAhead, `${path}.refreshAhead`),
    },
    softTimeoutMs:
      softTimeout === undefined && base
        ? base.softTimeoutMs
        : parseDuration(softTimeout ?? DEFAULTS.softTimeout, `${path}.softTimeout`),
    hardTimeoutMs:
      hardTimeout === undefined ? (base?.hardTimeoutMs ?? Infinity) : parseLimit(hardTimeout, `${path}.hardTimeout`),
  };
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
  throw new ReportCacheError(
    'ERC_OPTION',
    `${option} is ${JSON.stringify(value) ?? String(value)}; it takes a number from 0 to ${most}.`,
  );
}
