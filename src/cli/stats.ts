// `stats`: how well the cache does, in the last day.
import type { Outcome } from '../contract/statistics.js';
import type { Command } from './command.js';
import { readInfo } from './redis-info.js';
import { bytesText, countText, paint, table } from './text.js';
import type { Way } from './way.js';

interface Rate {
  readonly hits: number;
  readonly misses: number;
  readonly hit_rate: number;
  readonly total_requests: number;
}

interface Stats {
  readonly complete: boolean;
  readonly total: Rate & { readonly outcomes: Partial<Record<Outcome, number>> };
  readonly types: Readonly<Record<string, Rate>>;
  readonly memory: { readonly entries: number; readonly bytes: number; readonly maxBytes: number };
}

const COLUMNS = [
  { title: 'TYPE', elastic: true },
  { title: 'REQUESTS', right: true },
  { title: 'HITS', right: true },
  { title: 'MISSES', right: true },
  { title: 'HIT RATE', right: true },
] as const;

export const stats: Command = {
  summary: 'Requests, hits and misses of the last 24 hours, by type, over all processes',
  ways: ['url', 'redis'],
  flags: {},
  async run({ open }) {
    const way = await open.one(['url', 'redis']);
    try {
      const { body } = await way.ask('GET', '/stats');
      const found = body as unknown as Stats;
      const { memory, ...counted } = found;
      const redis = await serverOf(way);
      return {
        document: way.kind === 'redis' ? { ...counted, redis } : body,
        text(style) {
          const types = Object.entries(found.types).toSorted(([, a], [, b]) => b.total_requests - a.total_requests);
          const lines = [
            table(COLUMNS, [...types.map(([type, rate]) => row(type, rate)), row('all', found.total)], style),
          ];
          if (!found.complete)
            lines.push(paint('Redis did not answer: these are the counts of one process.', 'yellow', style));
          const outcomes = outcomesOf(found.total.outcomes);
          if (outcomes !== '') lines.push('', outcomes);
          if (way.kind === 'url')
            lines.push(
              '',
              `Memory of the process that answered: ${countText(memory.entries)} entries, ${bytesText(memory.bytes)} of ${bytesText(memory.maxBytes)}.`,
            );
          else lines.push('', serverText(redis));
          return lines.join('\n');
        },
      };
    } finally {
      await way.close();
    }
  },
};

const row = (type: string, { total_requests, hits, misses, hit_rate }: Rate): string[] => [
  type,
  countText(total_requests),
  countText(hits),
  countText(misses),
  hits + misses === 0 ? '-' : `${(hit_rate * 100).toFixed(1)} %`,
];

const outcomesOf = (outcomes: Stats['total']['outcomes']): string =>
  Object.entries(outcomes)
    .map(([outcome, times]) => `${outcome} ${countText(times ?? 0)}`)
    .join(', ');

/** What INFO tells of the whole server; null where it is refused. */
async function serverOf(way: Way): Promise<Readonly<Record<string, number>> | null> {
  if (way.kind !== 'redis') return null;
  const info = await readInfo(way);
  if (info === undefined) return null;
  return {
    used_memory: Number(info['used_memory'] ?? 0),
    maxmemory: Number(info['maxmemory'] ?? 0),
    evicted_keys: Number(info['evicted_keys'] ?? 0),
    connected_clients: Number(info['connected_clients'] ?? 0),
  };
}

function serverText(server: Awaited<ReturnType<typeof serverOf>>): string {
  if (server === null) return 'The Redis user may not run INFO, so nothing is known of the server.';
  const { used_memory = 0, maxmemory = 0, evicted_keys = 0, connected_clients = 0 } = server;
  const limit = maxmemory === 0 ? 'without a limit' : `of ${bytesText(maxmemory)}`;
  return `The whole Redis server: ${bytesText(used_memory)} ${limit}, ${countText(evicted_keys)} keys evicted, ${countText(connected_clients)} clients.`;
}
