// `explain`: what a reader would get now, and why.
import type { Command, Given } from './command.js';
import { usageError } from './failures.js';
import { msText, paint, printable, table, type Colour } from './text.js';
import type { Way } from './way.js';

interface Explained {
  readonly key: string | null;
  readonly verdict: string;
  readonly reason: string;
  readonly detail: string;
  readonly layer?: string;
  readonly age_ms?: number;
  readonly tags: readonly { readonly tag: string; readonly invalidated_at_seq: number | null }[];
  readonly invalidated_by?: Readonly<Record<string, unknown>>;
}

const COLOURS: Readonly<Record<string, Colour>> = { hit: 'green', stale: 'yellow', miss: 'yellow', bypass: 'red' };

export const explain: Command = {
  summary: 'What a reader would get now, why, and who or what has ended it',
  operand: '[key]',
  ways: ['url', 'redis'],
  flags: {
    'report-url': { type: 'string', value: '<url>', summary: 'Of a report that goes through cache(); API only' },
    type: { type: 'string', value: '<type>', summary: 'Of a value or a resource, with --report' },
    report: { type: 'string', value: '<id>', summary: 'The same' },
    filters: { type: 'string', value: '<json>', summary: 'The same: values by name, as the application gives them' },
    user: { type: 'string', value: '<id>', summary: 'Who would read it' },
    tenant: { type: 'string', value: '<id>', summary: 'His tenant' },
    role: { type: 'string', value: '<role>', summary: 'His role' },
  },
  async run({ given, open }) {
    const body = asked(given);
    const way = await open.one(['url', 'redis']);
    if (way.kind === 'redis' && body['url'] !== undefined) {
      await way.close();
      throw usageError('Only the application knows its routes: --report-url takes --url, not --redis.');
    }
    try {
      const answer = await way.ask('POST', '/explain', { body });
      const found = answer.body as unknown as Explained;
      return { document: answer.body, text: (style) => textOf(found, way, style) };
    } finally {
      await way.close();
    }
  },
};

function asked(given: Given): Record<string, unknown> {
  const [key, more] = given.operands;
  if (more !== undefined) throw usageError('explain takes one key.');
  const body: Record<string, unknown> = {
    key,
    url: given.text('report-url'),
    filters: filtersOf(given.text('filters')),
  };
  for (const name of ['type', 'report', 'user', 'tenant', 'role']) body[name] = given.text(name);
  const named = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
  if (named['key'] === undefined && named['url'] === undefined && named['type'] === undefined)
    throw usageError('Name a key, or --report-url, or --type with --report.');
  return named;
}

function filtersOf(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw usageError(`--filters takes JSON, such as '{"term":"s1"}'.`);
  }
}

function textOf(
  found: Explained,
  way: Way,
  style: Parameters<typeof paint>[2] & { readonly columns: number | undefined },
) {
  const { key, verdict, reason, detail, layer, age_ms, tags, invalidated_by } = found;
  const lines = [
    `${paint(verdict.toUpperCase(), COLOURS[verdict] ?? 'red', style)} (${printable(reason)}) ${printable(detail)}`,
    `key: ${printable(key ?? 'none')}`,
  ];
  if (layer !== undefined) lines.push(`layer: ${layer}${age_ms === undefined ? '' : `, ${msText(age_ms)} old`}`);
  if (invalidated_by) {
    const facts = Object.entries(invalidated_by).filter(([name]) => name !== 'tags');
    lines.push(`invalidated by: ${facts.map(([name, value]) => `${name} ${printable(String(value))}`).join(', ')}`);
  }
  if (tags.length > 0) {
    const rows = tags.map(({ tag, invalidated_at_seq: seq }) => [tag, seq === null ? '-' : String(seq)]);
    lines.push(
      '',
      table(
        [
          { title: 'TAG', elastic: true },
          { title: 'INVALIDATED AT', right: true },
        ],
        rows,
        style,
      ),
    );
  }
  if (way.kind === 'redis')
    lines.push('', 'As Redis has it: what a process keeps in memory, or in a database, is not seen from here.');
  return lines.join('\n');
}
