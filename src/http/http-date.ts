// Reads an HTTP-date (RFC 9110 §5.6.7). Date.parse accepts far more, and reads the asctime form as local time.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)';
const DAY_NAME = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY_NAME = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';

const FORMATS = [
  new RegExp(`^${DAY_NAME}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^${LONG_DAY_NAME}, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`),
  new RegExp(`^${DAY_NAME} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/** Milliseconds since 1970, or `undefined` for what is not one of the three formats. `now` places two-digit years. */
export function parseHttpDate(text: string, now: number): number | undefined {
  for (const format of FORMATS) {
    const parts = format.exec(text.trim())?.groups;
    if (parts === undefined) continue;
    const month = MONTHS.indexOf(parts['month'] ?? '');
    const day = Number(parts['day']);
    const year = parts['year']?.length === 2 ? fullYear(Number(parts['year']), now) : Number(parts['year']);
    // A leap second has no number of its own in UTC milliseconds.
    const second = Math.min(Number(parts['second']), 59);
    const time = Date.UTC(year, month, day, Number(parts['hour']), Number(parts['minute']), second);
    return new Date(time).getUTCDate() === day ? time : undefined;
  }
  return undefined;
}

/** §5.6.7: a two-digit year that would lie more than 50 years ahead is the most recent past year ending so. */
function fullYear(lastTwo: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + lastTwo;
  return year > thisYear + 50 ? year - 100 : year;
}
