// Shows any JSON as names and values, nested as it is.
import { h, type Child } from './dom.js';
import { dateAndTime } from './format.js';
import { facts } from './table.js';

const MOST = 200;
const DEEPEST = 6;

export function shownValue(value: unknown, name = '', depth = 0): Child {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'object') return shownText(value, name);
  if (depth >= DEEPEST) return JSON.stringify(value).slice(0, 500);
  if (Array.isArray(value)) {
    if (value.length === 0) return 'none';
    if (value.every((one) => typeof one === 'string'))
      return h('ul', { class: 'chips' }, ...value.slice(0, MOST).map((one) => h('li', {}, one)));
    return h(
      'ol',
      { class: 'nested' },
      ...value.slice(0, MOST).map((one) => h('li', {}, shownValue(one, '', depth + 1))),
    );
  }
  const members = Object.entries(value).slice(0, MOST);
  if (members.length === 0) return 'none';
  return facts(members.map(([member, of]) => [member.replaceAll('_', ' '), shownValue(of, member, depth + 1)]));
}

/** Whatever it is, as one line. */
export function asText(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}

/** Members called `…_at`, or `at`, are moments. */
function shownText(value: unknown, name: string): string {
  if (/(?:^|_)at$/.test(name) && (typeof value === 'number' || typeof value === 'string')) return dateAndTime(value);
  return asText(value);
}
