// Composition: a cache as its Redis alone tells of it, asked in the words of the management API. No process of the application is.
import { checkInput } from './admin/input.js';
import { countIn, meaning } from './admin/count.js';
import type { ManagedCache } from './admin/cache.js';
import { AdminProblem, type AdminContext } from './admin/exchange.js';
import { isClientError } from './admin/handlers.js';
import { InvalidationLog } from './admin/invalidation-log.js';
import type { EntryQuery } from './admin/entry-query.js';
import { listEntries } from './admin/list-entries.js';
import { Live } from './admin/live.js';
import { matchRoute } from './admin/routes.js';
import { failed } from './cli/failures.js';
import type { Manage } from './cli/redis-way.js';
import type { Answer, Ask } from './cli/way.js';
import { inRedis, Looking } from './connect-look.js';
import type { Position } from './contract/entry.js';
import { askTogether } from './contract/redis-like.js';
import { answersWithin } from './core/time-limit.js';
import { resolvePattern, type ResolvedPattern } from './entry/pattern.js';
import { BOUNDS } from './options/defaults.js';
import { readOut } from './stats/buckets.js';
import { RedisStatistics } from './stats/redis-statistics.js';
import { RedisEntries } from './stores/redis/redis-entries.js';
import { RedisInvalidationLog } from './stores/redis/redis-invalidation-log.js';
import { redisKeys } from './stores/redis/redis-keys.js';
import { RedisLook } from './stores/redis/redis-look.js';
import { RedisStore } from './stores/redis/redis-store.js';
import { MemoryStore } from './stores/memory/memory-store.js';
import { TagTable } from './stores/memory/tag-table.js';

/** What one list may take; then it is told that it is not complete. */
const PATIENCE_MS = 10_000;

export const manageRedis: Manage = ({ client, namespace, version, clock }) => {
  const inTime = answersWithin(BOUNDS.patienceMs, clock);
  const keys = redisKeys(namespace, version, client.options?.keyPrefix ?? '');
  const seen = { client, keys, inTime };
  const entries = new RedisEntries(seen);
  const look = new RedisLook(seen);
  const statistics = new RedisStatistics({ client, nameOf: (bucket) => keys.statistics(bucket), inTime });
  const shared = new RedisInvalidationLog({ client, name: keys.invalidations, inTime });
  const log = new InvalidationLog({ shared, process: `cli.${process.pid}`, clock });
  const store = new RedisStore(client, { namespace, version, maxTags: BOUNDS.tagsInRedis }, clock);
  const limits = { maxBytes: 0, maxBytesPerOwner: 0, maxTtlMs: 0 };
  const memory = new MemoryStore(new TagTable('', 0), limits, clock);

  /** Readers begin a history where there is none, or where INFO is refused; who only looks must not. */
  const position = async (): Promise<Position> => {
    const [fields, time] = await askTogether(
      client,
      [['HMGET', keys.table, '!ep', '!seq', '!live', '!lambda'], ['TIME']],
      inTime,
    );
    const [epoch, seq, live, lambda] = fields as (string | null)[];
    const [seconds, micros] = time as (string | number)[];
    const age = Number(seconds) * 1000 + Number(micros) / 1000 - Number(live);
    const isDead = Number(lambda ?? 0) > 0 && !(age >= 0 && age <= Number(lambda));
    return { epoch: epoch ?? '', seq: Number(seq ?? 0), ...(isDead && { live: false }) };
  };

  const looking = new Looking({
    memory,
    redis: { entries, look },
    position,
    persisted: () => undefined,
    touches: () => false,
    closed: () => false,
    clock,
  });

  const list = (query: EntryQuery) => {
    const until = clock.monotonic() + PATIENCE_MS;
    return listEntries(inRedis({ entries, look }), query, () => clock.monotonic() >= until);
  };

  const invalidate = async (tags: readonly string[], cause: string): Promise<void> => {
    const from = clock.monotonic();
    const { epoch, seq } = await inTime(store.invalidate(tags));
    log.hear({ kind: 'invalidate', tags, cause, epoch, seq, durationMs: clock.monotonic() - from });
  };

  const cache: ManagedCache = {
    types: () => [],
    statistics: async () => {
      const now = clock.now();
      return { buckets: readOut(await statistics.read(now)), complete: true, lastUpdated: new Date(now) };
    },
    invalidations: log,
    look: {
      now: () => looking.now(),
      entries: (query) => list(query),
      isInMemory: () => false,
      facts: (key, tags) => looking.facts(key, tags),
      url: () => undefined,
      // Of each type whatever was stored counts, and for as long as it was stored.
      policy: () => ({ graceMs: Infinity, off: false }),
    },
    memory: () => ({ entries: 0, bytes: 0, maxBytes: 0 }),
    // The budget is an option of the application, which is not asked.
    redis: async () => undefined,
    count: async (tags) => ({ memory: 0, redis: await countIn(entries, meaning(tags)) }),
    invalidate: (tags) => invalidate(tags, 'cli'),
    resolve: resolveUntyped,
    meant: () => [],
    warmable: () => [],
    warmRuns: () => [],
    schedule: () => undefined,
    health: notHere,
    resetStatistics: notHere,
    resourceTags: notHere,
    costs: notHere,
    prune: notHere,
    warm: notHere,
  };

  const context: AdminContext = {
    cache,
    events: {},
    lists: {},
    metrics: undefined,
    // Whoever has the address of Redis may do all that it can do; nobody watches.
    asking: {
      user: 'cli',
      path: '/',
      takesGzip: false,
      may: async () => true,
      mayStillLook: async () => true,
    },
    live: new Live({ process: `cli.${process.pid}`, clock }),
    origin: { protocol: 'http', host: 'localhost' },
    openApi: notHere,
  };
  return {
    ask: askHandlers(context),
    close: async () => {
      await log.close();
      await store.close();
    },
  };
};

/** As the router does it, without a request. */
function askHandlers(context: AdminContext): Ask {
  return async (method, path, { query = {}, body = {} } = {}): Promise<Answer> => {
    const match = matchRoute(method, path);
    if (match === undefined || 'allowed' in match) throw notHere();
    const named = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
    const sent = { params: match.params, query: named as Record<string, string>, body };
    try {
      checkInput(match.route, sent);
      const { status, body: answer } = await match.route.handler(sent, context);
      // As it would arrive over HTTP.
      return { status, body: JSON.parse(JSON.stringify(answer)) as Answer['body'] };
    } catch (error) {
      if (error instanceof AdminProblem || isClientError(error)) throw failed(error.message);
      throw error;
    }
  };
}

/**
 * Whether `<name>:*` means a type or a kind only the application knows: both are meant. What is neither carries nothing.
 * @throws ERC_PATTERN
 */
function resolveUntyped(pattern: string): ResolvedPattern {
  const [first = '', ...rest] = pattern.replace(/(:\*)+$/, '').split(':');
  if (first === 'report' || first === '*') return resolvePattern(pattern, new Set());
  const asType = resolvePattern(pattern, new Set([first]));
  // Only a type has a kind and an id behind it.
  if (rest.length > 1) return asType;
  const asKind = resolvePattern(pattern, new Set());
  const tags = [...new Set([...asKind.tags, ...asType.tags])];
  return { tags, exact: asKind.exact && tags.length === asKind.tags.length };
}

function notHere(): never {
  throw failed('Only a process of the application can do that: use --url.');
}
