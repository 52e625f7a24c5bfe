// Figures as people read them, in the language of their browser.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const minute = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const away = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

export const count = (value: number): string => whole.format(value);
export const share = (value: number): string => percent.format(value);

const BYTES = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;

export function bytes(value: number): string {
  const step = Math.min(BYTES.length - 1, value < 1 ? 0 : Math.floor(Math.log10(value) / 3));
  return inUnit(value / 1000 ** step, BYTES[step] ?? 'byte');
}

/** @param ms of time */
export function duration(ms: number): string {
  if (ms < 1000) return inUnit(ms, 'millisecond');
  if (ms < 120_000) return inUnit(ms / 1000, 'second');
  if (ms < 7_200_000) return inUnit(ms / 60_000, 'minute');
  return ms < 172_800_000 ? inUnit(ms / 3_600_000, 'hour') : inUnit(ms / 86_400_000, 'day');
}

function inUnit(value: number, unit: string): string {
  const digits = value >= 100 ? whole.resolvedOptions().maximumFractionDigits : undefined;
  return new Intl.NumberFormat(undefined, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    ...(digits === undefined ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: digits }),
  }).format(value);
}

export function money(value: number, currency: string): string {
  try {
    return new Intl.NumberFormat(undefined, { style: 'currency', currency, maximumFractionDigits: 4 }).format(value);
  } catch {
    return `${short.format(value)} ${currency}`;
  }
}

export const timeOfDay = (at: string | number): string => clock.format(new Date(at));
export const hourAndMinute = (at: string | number): string => minute.format(new Date(at));

export function dateAndTime(at: unknown): string {
  const date = new Date(typeof at === 'number' ? at : String(at));
  return Number.isNaN(date.getTime()) ? '–' : moment.format(date);
}

/** How long until then, or since. */
export function fromNow(at: string | number): string {
  const seconds = (new Date(at).getTime() - Date.now()) / 1000;
  if (Number.isNaN(seconds)) return '–';
  if (Math.abs(seconds) < 90) return away.format(Math.round(seconds), 'second');
  if (Math.abs(seconds) < 5400) return away.format(Math.round(seconds / 60), 'minute');
  if (Math.abs(seconds) < 129_600) return away.format(Math.round(seconds / 3600), 'hour');
  return away.format(Math.round(seconds / 86_400), 'day');
}
