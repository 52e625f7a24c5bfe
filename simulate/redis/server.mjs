// One Redis server: hashes, a clock, a replication id, loaded scripts, subscribers; no network.

/** @typedef {Map<string, string | Uint8Array>} Hash */
/** @typedef {{ readonly hash: Hash, expiresAt: number }} Slot */
/** @typedef {{ deliver(channel: string, message: string): void, readonly channels: ReadonlySet<string> }} Subscription */

/** Milliseconds since 1970 at which every simulation begins. */
export const WALL = Date.UTC(2026, 0, 5, 8);

let ids = 0;

export class RedisServer {
  /** @type {Map<string, Slot>} */
  #keys = new Map();
  /** @type {Set<Subscription>} */
  subscriptions = new Set();
  /** Hashes of the scripts that need not be sent again. */
  loaded = new Set();
  /** Its users may not run INFO. */
  refusesInfo = false;
  /** By how much its clock is wrong, ms. */
  clockOffset = 0;
  replicationId = RedisServer.newReplicationId();
  /** Another one after every restart, and only then. */
  scriptCache = RedisServer.newReplicationId();

  /** @param {string} name @param {() => number} clock milliseconds since the simulation began */
  constructor(name, clock) {
    this.name = name;
    this.clock = clock;
  }

  static newReplicationId() {
    ids += 1;
    return ids.toString(16).padStart(40, '0');
  }

  get now() {
    return WALL + Math.floor(this.clock()) + this.clockOffset;
  }

  /** @param {string} key @returns {Hash | undefined} */
  hash(key) {
    const slot = this.#keys.get(key);
    if (slot === undefined) return undefined;
    if (slot.expiresAt > this.now) return slot.hash;
    this.#keys.delete(key);
    return undefined;
  }

  /** @param {string} key @param {readonly (readonly [string, string | number | Uint8Array])[]} fields */
  hset(key, fields) {
    let hash = this.hash(key);
    if (hash === undefined) this.#keys.set(key, { hash: (hash = new Map()), expiresAt: Infinity });
    for (const [field, value] of fields) hash.set(field, typeof value === 'number' ? String(value) : value);
  }

  /** @param {string} key @param {string} field */
  hdel(key, field) {
    const hash = this.hash(key);
    if (hash?.delete(field) && hash.size === 0) this.#keys.delete(key);
  }

  /** @param {string} key @param {number} ms */
  pexpire(key, ms) {
    const slot = this.#keys.get(key);
    if (slot !== undefined) slot.expiresAt = this.now + ms;
  }

  /** @param {readonly string[]} keys */
  unlink(...keys) {
    for (const key of keys) this.#keys.delete(key);
  }

  get keys() {
    return [...this.#keys.keys()].filter((key) => this.hash(key) !== undefined);
  }

  /** @param {string} channel @param {string} message */
  publish(channel, message) {
    for (const subscription of this.subscriptions)
      if (subscription.channels.has(channel)) subscription.deliver(channel, message);
  }

  /** What a snapshot on disk, or a replica, would hold. */
  copy() {
    return new Map(
      [...this.#keys].map(([key, slot]) => [key, { hash: new Map(slot.hash), expiresAt: slot.expiresAt }]),
    );
  }

  /** Begins anew with what such a copy holds. @param {Map<string, Slot>} keys */
  restore(keys) {
    this.#keys = keys;
  }
}
