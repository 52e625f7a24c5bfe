// The Lua scripts of the library in JavaScript, word for word; test/simulate holds them to the real ones on a real Redis.
/** @typedef {import('./server.mjs').RedisServer} RedisServer */
/** @typedef {string | number | Uint8Array} Argument a Buffer */
/** @typedef {(string | number)[]} Reply */
/** @typedef {new (server: RedisServer, keys: readonly string[], args: readonly Argument[]) => Script} ScriptClass */

/** As in lua/guard.ts. */
const UNKNOWN_LSN = 'ffffffffffffffff';

const words = (/** @type {string} */ text) => text.split(' ').filter((word) => word !== '');

/** `name number name number ...` @param {string} text @returns {[string, number][]} */
function pairs(text) {
  const all = words(text);
  /** @type {[string, number][]} */
  const found = [];
  for (let at = 0; at + 1 < all.length; at += 2) found.push([all[at] ?? '', Number(all[at + 1])]);
  return found;
}

/** One execution. The methods are the sections of the scripts; a broken variant replaces one of them. */
export class Script {
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
    this.forgetLsn();
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

  // The scripts

  /** @returns {Reply} */
  check() {
    this.lookForMarks();
    const codes = this.keys.slice(2).map((key, at) => this.judge(key, this.arg(4 + at)));
    return [...this.head(), ...codes];
  }

  /** @param {string} key @param {string} keyTag */
  judge(key, keyTag) {
    const guard = this.server.hash(key)?.get('g');
    if (guard === undefined) return 'absent';
    const [epoch = '', asOf = '', ...own] = words(String(guard));
    const tags = [keyTag, ...own];
    const flux = this.influx(['*', ...tags]);
    const code = this.validity(epoch, Number(asOf), tags);
    if (code !== 'hit') this.server.unlink(key);
    return code === 'hit' && flux ? 'flux' : code;
  }

  /** @param {string} epoch @param {number} asOf @param {readonly string[]} tags */
  validity(epoch, asOf, tags) {
    if (epoch !== this.epoch) return 'epoch';
    if (asOf < this.floor || tags.some((tag) => this.movedSince(tag, asOf))) return 'invalidated';
    return 'hit';
  }

  /** @returns {Reply} */
  put() {
    this.lookForMarks();
    const code = this.offer();
    return [...this.head(), code];
  }

  /** The entry's own tags. */
  own() {
    return this.args.slice(10, 10 + Number(this.arg(10))).map(String);
  }

  offer() {
    if (this.epoch !== this.arg(4)) return 'epoch';
    const asOf = Number(this.arg(5));
    const count = Number(this.arg(10));
    /** @type {[tag: string, bound: number][]} */
    const bounds = [];
    for (let at = 11; at <= 11 + count; at += 1) bounds.push([this.arg(at), asOf]);
    for (let at = 12 + count; at < this.args.length; at += 2) bounds.push([this.arg(at), Number(this.arg(at + 1))]);
    const everything = this.influx(['*']);
    const flux = this.influx(bounds.map(([tag]) => tag)) || everything;
    if (Number(this.arg(6)) < this.floor) return 'stale';
    if (bounds.some(([tag, bound]) => this.movedSince(tag, bound))) return 'stale';
    if (flux) return this.offeredInFlux(this.own());
    return this.keep(this.own());
  }

  /** @param {readonly string[]} _own */
  offeredInFlux(_own) {
    return 'flux';
  }

  /** @param {readonly string[]} own */
  keep(own, asOf = this.arg(5)) {
    const [key = ''] = this.keys.slice(2);
    const guard = `${this.epoch} ${asOf} ${own.join(' ')}`;
    this.server.hset(key, [
      ['g', guard],
      ['h', this.args[7] ?? ''],
      ['b', this.args[8] ?? ''],
    ]);
    this.server.pexpire(key, Number(this.arg(7)));
    return 'stored';
  }

  /** @returns {Reply} */
  bump() {
    this.lookForMarks();
    if (this.arg(5) !== '') this.unmark(this.arg(5));
    this.nextSeq();
    const needed = this.arg(6) === '' ? UNKNOWN_LSN : this.arg(6);
    if (needed > this.lsn) this.set(['!lsn', (this.lsn = needed)]);
    const tags = this.args.slice(7).map(String);
    for (const tag of tags) if (tag !== '*') this.set([`:${tag}`, this.seq]);
    const leases = this.field('!leases');
    const born = this.field('!born');
    const generation = this.field('!gen');
    const awaited = this.awaited(leases ?? '');
    let told = tags.join(' ');
    if (tags.includes('*') || (this.server.hash(this.t)?.size ?? 0) > Number(this.arg(4))) {
      const owner = this.field('!inc') ?? '';
      this.floor = this.seq;
      this.server.unlink(this.t);
      this.set(['!ep', this.epoch], ['!inc', owner], ['!seq', this.seq], ['!floor', this.floor]);
      this.set(['!born', born ?? this.now]);
      if (this.lsn !== '') this.set(['!lsn', this.lsn]);
      if (this.live !== undefined) this.set(['!live', this.live], ['!lambda', this.lambda]);
      if (this.marked) this.set(['!marks', 1]);
      if (leases !== undefined) this.set(['!leases', leases]);
      if (generation !== undefined) this.set(['!gen', generation]);
      told = '*';
    }
    if (awaited.length > 0) told += ` !b:${this.arg(7)}`;
    this.publish(`${this.epoch} ${this.seq} ${told}`);
    return [...this.head(), this.now - Number(born ?? 0), awaited.join(' ')];
  }

  forgetLsn() {
    this.set(['!lsn', (this.lsn = UNKNOWN_LSN)]);
  }

  /** @param {string} leases */
  awaited(leases) {
    return pairs(leases).flatMap(([name, due]) => (name !== this.arg(7) && due > this.now ? [name] : []));
  }

  /** @returns {Reply} */
  mark() {
    this.lookForMarks();
    const tags = this.args.slice(5).map(String);
    // A few of them, taken by chance; few enough here to be all.
    if (this.marked) this.influx([...(this.server.hash(this.x)?.keys() ?? [])]);
    this.influx(tags);
    this.nextSeq();
    const due = this.now + Number(this.arg(5));
    for (const tag of tags) {
      const others = this.marks(tag);
      this.server.hset(this.x, [[tag, `${others === undefined ? '' : `${others} `}${this.arg(4)} ${due}`]]);
    }
    this.server.hset(this.x, [[`!${this.arg(4)}`, `${due} ${tags.join(' ')}`]]);
    this.set(['!marks', 1]);
    this.publish(`${this.epoch} ${this.seq} ${tags.join(' ')}`);
    return this.head();
  }

  /** @returns {Reply} */
  clear() {
    this.lookForMarks();
    this.unmark(this.arg(4));
    return this.head();
  }

  /** @returns {Reply} */
  index() {
    const name = this.arg(4);
    if (name !== '') {
      const others = pairs(this.field('!leases') ?? '').filter(([one, due]) => one !== name && due > this.now);
      this.set(['!leases', [[name, this.now + Number(this.arg(5))], ...others].flat().join(' ')]);
    }
    return this.head();
  }

  /** @returns {Reply} */
  observe() {
    return [...this.head(), this.now, this.field('!gen') ?? ''];
  }

  // `live` is the watermark.
  /** @returns {Reply} */
  moveWatermark() {
    const at = Number(this.arg(5));
    let moved = 'refused';
    if (
      this.epoch === this.arg(4) &&
      at <= this.now &&
      (this.live === undefined || at > this.live || this.live > this.now)
    ) {
      this.live = at;
      this.lambda = Number(this.arg(6));
      this.set(['!live', at], ['!lambda', this.lambda]);
      if (this.seq === Number(this.arg(7)) && this.arg(8) !== '') this.set(['!lsn', (this.lsn = this.arg(8))]);
      moved = 'live';
    }
    return [...this.head(), moved];
  }

  /** @returns {Reply} */
  adopt() {
    let outcome = 'changed';
    if (this.epoch === this.arg(4)) {
      this.begin(this.arg(5), this.owner === 'none' ? (this.field('!inc') ?? 'none') : this.owner);
      if (this.arg(6) !== '') {
        this.set(['!gen', this.arg(6)]);
        this.forgetLsn();
      }
      outcome = 'adopted';
    }
    return [...this.head(), outcome];
  }

  /** @returns {Reply} */
  prune() {
    if (this.epoch !== this.arg(6)) return [...this.head(), '0'];
    const upTo = Math.min(Number(this.arg(5)), this.seq);
    if (upTo > this.floor) this.set(['!floor', (this.floor = upTo)]);
    for (const [field, seq] of [...(this.server.hash(this.t) ?? [])])
      if (field.startsWith(':') && Number(seq) <= upTo) this.server.hdel(this.t, field);
    return [...this.head(), '0'];
  }
}

/** By the names that the library gives them. @type {Readonly<Record<keyof typeof import('../../src/stores/redis/scripts.js').SCRIPTS, (script: Script) => Reply>>} */
export const BODIES = {
  check: (script) => script.check(),
  put: (script) => script.put(),
  bump: (script) => script.bump(),
  mark: (script) => script.mark(),
  clear: (script) => script.clear(),
  index: (script) => script.index(),
  observe: (script) => script.observe(),
  live: (script) => script.moveWatermark(),
  adopt: (script) => script.adopt(),
  prune: (script) => script.prune(),
};
