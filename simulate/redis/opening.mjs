// What every Lua script of the library opens with, in JavaScript: the tag table, whose it is, and the marks.
/** @typedef {import('./server.mjs').RedisServer} RedisServer */
/** @typedef {string | number | Uint8Array} Argument a Buffer */
/** @typedef {(string | number)[]} Reply */

/** As in lua/guard.ts. */
export const UNKNOWN_LSN = 'ffffffffffffffff';

export const words = (/** @type {string} */ text) => text.split(' ').filter((word) => word !== '');

/** `name number name number ...` @param {string} text @returns {[string, number][]} */
export function pairs(text) {
  const all = words(text);
  /** @type {[string, number][]} */
  const found = [];
  for (let at = 0; at + 1 < all.length; at += 2) found.push([all[at] ?? '', Number(all[at + 1])]);
  return found;
}

/** One execution. The methods are the sections of the scripts. */
export class Opening {
  live = /** @type {number | undefined} */ (undefined);
  lambda = 0;
  lsn = '';
  epoch = '';
  seq = 0;
  floor = 0;
  /** There are marks, as the table knows. */
  marked = false;

  /** @param {RedisServer} server @param {readonly string[]} keys @param {readonly Argument[]} args */
  constructor(server, keys, args) {
    this.server = server;
    this.keys = keys;
    this.args = args;
    this.t = keys[0] ?? '';
    this.x = keys[1] ?? '';
    this.now = server.now;
  }

  /** ARGV of Lua: counted from 1. @param {number} at */
  arg(at) {
    return String(this.args[at - 1] ?? '');
  }

  /** @param {string} field */
  field(field) {
    const value = this.server.hash(this.t)?.get(field);
    return value === undefined ? undefined : String(value);
  }

  /** @param {string} message */
  publish(message) {
    this.server.publish(this.arg(2), message);
  }

  // GUARD

  get owner() {
    return this.arg(3) === 'info' ? this.server.replicationId : 'none';
  }

  guard() {
    this.readTable();
    if (this.isForeign()) this.begin(this.arg(1));
  }

  /** What every script does that looks at marks: those that were evicted must not just disappear. */
  lookForMarks() {
    if (!this.marked || this.server.hash(this.x) !== undefined) return;
    this.forgetMarks();
    this.invalidate(['*']);
  }

  readTable() {
    this.epoch = this.field('!ep') ?? '';
    this.seq = Number(this.field('!seq') ?? 0);
    this.floor = Number(this.field('!floor') ?? 0);
    const live = this.field('!live');
    this.live = live === undefined ? undefined : Number(live);
    this.lambda = Number(this.field('!lambda') ?? 0);
    this.lsn = this.field('!lsn') ?? '';
    this.marked = this.field('!marks') !== undefined;
  }

  isForeign() {
    return this.epoch === '' || (this.owner !== 'none' && this.field('!inc') !== this.owner);
  }

  /** @param {string} epoch */
  rename(epoch) {
    this.epoch = epoch;
  }

  /** @param {string} epoch @param {string} [owner] */
  begin(epoch, owner = this.owner) {
    this.rename(epoch);
    this.seq += 1;
    this.floor = this.seq;
    this.live = undefined;
    this.lambda = 0;
    this.lsn = '';
    this.marked = false;
    this.server.unlink(this.t, this.x);
    this.set(['!ep', epoch], ['!inc', owner], ['!seq', this.seq], ['!floor', this.floor], ['!born', this.now]);
    this.publish(`${epoch} ${this.seq}`);
  }

  /** @param {(readonly [string, string | number])[]} fields */
  set(...fields) {
    this.server.hset(this.t, fields);
  }

  /** How far a replica must have replayed from here on. @param {string} lsn */
  require(lsn) {
    this.lsn = lsn;
    this.set(['!lsn', lsn]);
  }

  nextSeq() {
    this.seq = Number(this.field('!seq') ?? 0) + 1;
    this.set(['!seq', this.seq]);
    return this.seq;
  }

  /** @returns {Reply} */
  head() {
    return [this.epoch, this.seq, this.live === undefined ? -1 : this.now - this.live, this.lambda, this.lsn];
  }

  // MARKS

  /** @param {string} field */
  marks(field) {
    const value = this.server.hash(this.x)?.get(field);
    return value === undefined ? undefined : String(value);
  }

  forgetMarks() {
    this.marked = false;
    this.server.hdel(this.t, '!marks');
  }

  /** @param {string} id @returns {string[] | undefined} its tags, if it was there */
  unmark(id) {
    const record = this.marked ? this.marks(`!${id}`) : undefined;
    if (record === undefined) return undefined;
    this.server.hdel(this.x, `!${id}`);
    const tags = words(record).slice(1);
    for (const tag of tags) {
      const left = pairs(this.marks(tag) ?? '').filter(([one]) => one !== id);
      if (left.length > 0) this.server.hset(this.x, [[tag, left.flat().join(' ')]]);
      else this.server.hdel(this.x, tag);
    }
    if (this.server.hash(this.x) === undefined) this.forgetMarks();
    return tags;
  }

  /** @param {readonly string[]} tags */
  invalidate(tags) {
    this.nextSeq();
    this.require(UNKNOWN_LSN);
    for (const tag of tags) {
      if (tag === '*') this.set(['!floor', (this.floor = this.seq)]);
      else this.set([`:${tag}`, this.seq]);
    }
    this.publish(`${this.epoch} ${this.seq} ${tags.join(' ')}`);
  }

  /** A mark past its deadline: its writer may have committed. @param {string} id */
  expire(id) {
    const tags = this.unmark(id);
    if (tags !== undefined) this.invalidate(tags);
  }

  /** @param {readonly string[]} tags */
  influx(tags) {
    if (!this.marked) return false;
    let open = false;
    for (const marks of tags.map((tag) => this.marks(tag) ?? ''))
      for (const [id, due] of pairs(marks)) {
        if (due > this.now) open = true;
        else this.expire(id);
      }
    return open;
  }

  /** @param {string} tag @param {number} asOf */
  movedSince(tag, asOf) {
    return Number(this.field(`:${tag}`) ?? 0) > asOf;
  }
}
