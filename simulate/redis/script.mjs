// The Lua scripts of the library in JavaScript, word for word; test/simulate holds them to the real ones on a real Redis.
import { Opening, pairs, UNKNOWN_LSN, words } from './opening.mjs';

/** @typedef {import('./server.mjs').RedisServer} RedisServer */
/** @typedef {import('./opening.mjs').Argument} Argument a Buffer */
/** @typedef {import('./opening.mjs').Reply} Reply */
/** @typedef {new (server: RedisServer, keys: readonly string[], args: readonly Argument[]) => Script} ScriptClass */

/** A broken variant replaces one of the methods. */
export class Script extends Opening {
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
    this.server.unlink(key);
    this.server.hset(key, [
      ['g', guard],
      ['h', this.args[7] ?? ''],
      ['b', this.args[8] ?? ''],
    ]);
    this.server.pexpire(key, Number(this.arg(7)));
    return 'stored';
  }

  /** @returns {Reply} */
  keepForm() {
    const [key = ''] = this.keys.slice(2);
    const held = this.server.hash(key);
    let code = 'gone';
    if (held && String(held.get('g')) === this.arg(4) && String(held.get('h')) === this.arg(5)) {
      code = 'held';
      if (held.has('b')) {
        this.server.hset(key, [[this.arg(6), this.args[6] ?? '']]);
        this.server.hdel(key, 'b');
        code = 'kept';
      }
    }
    return [...this.head(), code];
  }

  /** @returns {Reply} */
  bump() {
    this.lookForMarks();
    if (this.arg(5) !== '') this.unmark(this.arg(5));
    this.nextSeq();
    const needed = this.needed();
    if (needed !== this.lsn) this.require(needed);
    const tags = this.args.slice(8).map(String);
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
    if (awaited.length > 0) told += ` !b:${this.arg(8)}`;
    this.publish(`${this.epoch} ${this.seq} ${told}`);
    return [...this.head(), this.now - Number(born ?? 0), awaited.join(' ')];
  }

  /** What a replica must have replayed from here on. */
  needed() {
    const told = this.arg(6) === '' ? UNKNOWN_LSN : this.arg(6);
    const least = this.lsn.slice(0, 16);
    const most = told < least ? least : told;
    const askedBefore = this.arg(7) !== this.epoch;
    return this.lsn.length !== 16 && askedBefore && most !== UNKNOWN_LSN ? `${most}?` : most;
  }

  /** @param {string} leases */
  awaited(leases) {
    return pairs(leases).flatMap(([name, due]) => (name !== this.arg(8) && due > this.now ? [name] : []));
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
      if (this.seq === Number(this.arg(7)) && this.arg(8) !== '') this.require(this.arg(8));
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
        this.require(UNKNOWN_LSN);
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
  keep: (script) => script.keepForm(),
  bump: (script) => script.bump(),
  mark: (script) => script.mark(),
  clear: (script) => script.clear(),
  index: (script) => script.index(),
  observe: (script) => script.observe(),
  live: (script) => script.moveWatermark(),
  adopt: (script) => script.adopt(),
  prune: (script) => script.prune(),
};
