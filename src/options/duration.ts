// Durations and sizes as people write them: '5m', '250ms', '50mb'.
import { ReportCacheError } from '../contract/errors.js';

/** `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'7d'`. Bare numbers are refused: nobody can tell seconds from milliseconds. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** `'512kb'`, `'50mb'`, `'1gb'` (powers of 1024), or a number of bytes. */
export type Size = number | `${number}${'kb' | 'mb' | 'gb'}`;

/** `ttl: 'forever'`, ms: a hundred years, so that times stay times. */
export const FOREVER_MS = 100 * 365.25 * 86_400_000;

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTES = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const;

/** @returns milliseconds. @throws ERC_OPTION naming `option`. */
export function parseDuration(value: unknown, option: string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value) : null;
  if (!match) {
    throw new ReportCacheError(
      'ERC_OPTION',
      `${option} is ${JSON.stringify(value) ?? String(value)}; write a duration with its unit, such as '5m' or '250ms'.`,
    );
  }
  return Math.round(Number(match[1]) * MS[match[2] as keyof typeof MS]);
}

/** @returns bytes. @throws ERC_OPTION naming `option`. */
export function parseSize(value: unknown, option: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(kb|mb|gb)$/i.exec(value) : null;
  const bytes = match ? Math.round(Number(match[1]) * BYTES[String(match[2]).toLowerCase() as keyof typeof BYTES]) : 0;
  if (bytes <= 0) {
    throw new ReportCacheError(
      'ERC_OPTION',
      `${option} is ${JSON.stringify(value) ?? String(value)}; write a size such as '50mb', or a number of bytes above 0.`,
    );
  }
  return bytes;
}
