// Broken on purpose: an entry counts as read when it is stored, so the comparison at the put finds nothing.
import { BOUNDS, MemoryStore, RedisStore, systemClock, TagTable, TieredStore } from '../library.mjs';
import { assemble } from './assemble.mjs';

/** @typedef {import('./assemble.mjs').ReportCacheOptions} ReportCacheOptions */

/**
 * The race: a reader reads the database, a grade is committed, invalidates and is acknowledged, the reader stores what
 * it has read before, under a number after the invalidation. Nothing will ever find it invalid.
 */
class StoreWithoutCompare extends RedisStore {
  /**
   * @override
   * @param {string} key
   * @param {import('../../src/contract/entry.js').Entry} entry
   */
  async put(key, entry) {
    const { epoch, seq } = await this.position();
    return super.put(key, { ...entry, epoch, asOf: seq });
  }
}

/** @param {ReportCacheOptions} options */
export function createWithoutCompare(options) {
  const { redis } = options;
  if (redis === undefined) throw new Error('This arm needs Redis.');
  return assemble(options, (resolved, emit) => {
    const { namespace, version } = resolved;
    const shared = new StoreWithoutCompare(redis, { namespace, version, maxTags: BOUNDS.tagsInRedis }, systemClock);
    const memory = new MemoryStore(new TagTable('', BOUNDS.tagsPerProcess), resolved.memory, systemClock);
    const timing = { leaseMs: resolved.leaseMs, overdueMs: BOUNDS.overduePushMs };
    const tiered = new TieredStore(memory, shared, timing, systemClock, emit);
    shared.listen(tiered);
    return tiered;
  });
}
