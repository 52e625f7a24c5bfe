// `entries`: what is cached, a page at a time.
import { ORDERS, SORTS } from '../admin/entry-query.js';
import type { Command } from './command.js';
import { bytesText, countOf, msText, paint, table } from './text.js';

interface Entries {
  readonly entries: readonly {
    readonly key: string;
    readonly type: string;
    readonly owner: string;
    readonly bytes: number;
    readonly compute_ms: number;
    readonly ends_at: string | Date;
  }[];
  readonly total: number;
  readonly next?: string;
  readonly complete: boolean;
}

const COLUMNS = [
  { title: 'KEY', elastic: true },
  { title: 'TYPE' },
  { title: 'SIZE', right: true },
  { title: 'COST', right: true },
  { title: 'ENDS IN', right: true },
] as const;

const FILTERS = ['search', 'type', 'user', 'tag', 'sort', 'order', 'limit', 'after'] as const;

export const entries: Command = {
  summary: 'What is cached, without the bodies',
  ways: ['url', 'redis'],
  flags: {
    search: { type: 'string', value: '<text>', summary: 'A part of the key or of the report' },
    type: { type: 'string', value: '<type>', summary: 'One report type only' },
    user: { type: 'string', value: '<id>', summary: 'What is kept for one user only' },
    tag: { type: 'string', value: '<tag>', summary: 'What carries a tag such as student:5 only' },
    sort: { type: 'string', value: SORTS.join('|'), summary: 'Default: ends' },
    order: { type: 'string', value: ORDERS.join('|'), summary: 'Default: asc' },
    limit: { type: 'string', value: '<n>', summary: 'How many. Default: 50, at most 500' },
    after: { type: 'string', value: '<cursor>', summary: 'Go on there, as the page before says' },
  },
  async run({ given, open, clock }) {
    const way = await open.one(['url', 'redis']);
    try {
      const query = Object.fromEntries(FILTERS.map((name) => [name, given.text(name)]));
      const { body } = await way.ask('GET', '/entries', { query });
      const page = body as unknown as Entries;
      return {
        document: body,
        text(style) {
          const rows = page.entries.map(({ key, type, bytes, compute_ms, ends_at }) => [
            key,
            type,
            bytesText(bytes),
            msText(compute_ms),
            msText(new Date(ends_at).getTime() - clock.now()),
          ]);
          const count = `${page.entries.length} of ${countOf(page.total, 'entry', 'entries')}.`;
          const lines = [table(COLUMNS, rows, style), '', count];
          if (!page.complete) lines.push(paint('Not all of them could be looked at in time.', 'yellow', style));
          if (page.next !== undefined) lines.push(`More: --after ${page.next}`);
          return lines.join('\n');
        },
      };
    } finally {
      await way.close();
    }
  },
};
