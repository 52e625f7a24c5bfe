// Broken on purpose: sets of keys per tag, deletion by key, a broadcast to the memory of other processes, no comparison.
import { deserialize, serialize } from 'node:v8';
import { assemble } from './assemble.mjs';

/** @typedef {import('./assemble.mjs').ReportCacheOptions} ReportCacheOptions */
/** @typedef {import('../../src/contract/entry.js').Entry} Entry */
/** @typedef {import('../../src/contract/store.js').Store} Store */

/** Nothing here has a history, so every position is the same one. */
const POSITION = { epoch: 'none', seq: 0 };

/**
 * What most caches do. Two races: a reader stores what it read before the deletion; and the memory of another process
 * serves until the broadcast arrives, or for ever if it came before the entry was put there.
 * @implements {Store}
 */
class DeleteByBroadcast {
  name = /** @type {const} */ ('redis');
  /** @type {Map<string, Entry>} */
  #memory = new Map();
  #redis;
  #subscriber;
  #prefix;

  /**
   * @param {import('ioredis').Redis} redis
   * @param {string} namespace
   */
  constructor(redis, namespace) {
    this.#redis = redis;
    this.#prefix = `{${namespace}}:`;
    this.#subscriber = redis.duplicate();
    this.#subscriber.on('message', (_channel, keys) => this.#forget(keys.split(' ')));
    this.#subscriber.on('error', () => this.#memory.clear());
    this.#subscriber.subscribe(`${this.#prefix}deleted`).catch(() => this.#memory.clear());
  }

  /** @param {string} key @returns {Promise<import('../../src/contract/store.js').Lookup>} */
  async lookup(key) {
    const local = this.#memory.get(key);
    if (local !== undefined) return { outcome: 'hit', entry: local, layer: 'memory', position: POSITION };
    const stored = await this.#redis.getBuffer(this.#prefix + key);
    if (stored === null) return { outcome: 'miss', reason: 'absent', position: POSITION };
    const decoded = deserialize(stored);
    const entry = /** @type {Entry} */ ({ ...decoded, body: Buffer.from(decoded.body) });
    this.#memory.set(key, entry);
    return { outcome: 'hit', entry, layer: 'redis', position: POSITION };
  }

  /** @param {string} key @param {Entry} entry @returns {Promise<'stored'>} */
  async put(key, entry) {
    const write = this.#redis.multi().set(this.#prefix + key, serialize(entry), 'EX', 300);
    for (const tag of [...entry.tags, '*']) write.sadd(this.#tagged(tag), key);
    await write.exec();
    this.#memory.set(key, entry);
    return 'stored';
  }

  keepForm() {}

  /** @param {readonly string[]} tags */
  async invalidate(tags) {
    const sets = tags.map((tag) => this.#tagged(tag));
    const keys = await this.#redis.sunion(sets);
    if (keys.length > 0) {
      await this.#redis.unlink(...sets, ...keys.map((key) => this.#prefix + key));
      await this.#redis.publish(`${this.#prefix}deleted`, keys.join(' '));
      this.#forget(keys);
    }
    return POSITION;
  }

  position() {
    return POSITION;
  }

  evict() {
    this.#memory.clear();
  }

  close() {
    this.#subscriber.disconnect();
  }

  /** @param {readonly string[]} keys */
  #forget(keys) {
    for (const key of keys) this.#memory.delete(key);
  }

  /** @param {string} tag */
  #tagged(tag) {
    return `${this.#prefix}tag:${tag}`;
  }
}

/** @param {ReportCacheOptions} options */
export function createByBroadcast(options) {
  const redis = /** @type {import('ioredis').Redis} */ (/** @type {unknown} */ (options.redis));
  return assemble(options, ({ namespace }) => new DeleteByBroadcast(redis, namespace));
}
