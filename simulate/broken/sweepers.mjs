// Sweepers that claim more than they have done.
import { SimOutboxDatabase } from '../world/outbox.mjs';

/** @typedef {import('../variant.mjs').Broken} Broken */
/** @typedef {import('../../src/contract/history.js').History} History */
/** @typedef {import('../world/database.mjs').OutboxRecord} OutboxRecord */

/** @param {History} history @returns {History} */
const watched = (history) => ({
  observe: () => history.observe(),
  adopt: (...args) => history.adopt(...args),
  invalidate: (...args) => history.invalidate(...args),
  prune: (upTo) => history.prune(upTo),
  keepAlive: (...args) => history.keepAlive(...args),
});

/** @param {History} history @returns {History} */
const stampedAfterTheScan = (history) => ({
  ...watched(history),
  async keepAlive(position, _at, lambdaMs) {
    const { now } = await history.observe();
    return history.keepAlive(position, now, lambdaMs);
  },
});

/** The watermark moves although rows are left. */
class HalfABatch extends SimOutboxDatabase {
  /** @override @param {readonly OutboxRecord[]} outbox */
  select(outbox) {
    return super.select(outbox, Math.floor(outbox.length / 2));
  }
}

/** Ids are given in another order than commits become visible. */
class AfterTheLastId extends SimOutboxDatabase {
  /** @override @param {readonly OutboxRecord[]} outbox @param {number} limit */
  select(outbox, limit) {
    const { world } = this.process;
    const found = super.select(outbox, limit).filter(({ id }) => Number(id) > world.lastSwept);
    world.lastSwept = Math.max(world.lastSwept, ...found.map(({ id }) => Number(id)));
    return found;
  }
}

/** FOR UPDATE SKIP LOCKED: what another sweeper is working on counts as done. */
class SkipLocked extends SimOutboxDatabase {
  /** @override @param {readonly OutboxRecord[]} outbox @param {number} limit */
  select(outbox, limit) {
    const { locks } = this.process.world;
    const free = super
      .select(outbox, limit)
      .filter(({ id }) => (locks.get(id)?.dead ?? true) || locks.get(id) === this.process);
    for (const { id } of free) locks.set(id, this.process);
    return free;
  }
}

/** What a sweeper without a fence has seen last: it takes that for the only history there is. @type {WeakMap<object, string>} */
const lastSeen = new WeakMap();

/** @type {import('../variant.mjs').WatchedHistory} */
const onlyHistory = (history, process) => ({
  ...watched(history),
  async observe() {
    const seen = await history.observe();
    lastSeen.set(process, seen.position.epoch);
    return { ...seen, generation: 1 };
  },
});

/** Believes that the Redis it talks to is the true one. */
class WithoutFence extends SimOutboxDatabase {
  /** @override @param {number} limit */
  async scan(limit) {
    const scan = await super.scan(limit);
    const epoch = lastSeen.get(this.process) ?? '';
    return { ...scan, state: { ...scan.state, epoch, generation: 1, seq: 0, incarnation: scan.incarnation } };
  }

  /** @override @param {readonly string[]} ids */
  remove(ids) {
    return this.ask('delete outbox rows', (database) => database.deleteRows(ids, undefined));
  }

  /** @override */
  swept() {
    return Promise.resolve(true);
  }
}

/** @type {readonly Broken[]} */
export const BROKEN_SWEEPERS = [
  {
    name: 'watermark stamped after the scan',
    level: 'strict+durable',
    history: stampedAfterTheScan,
    only: ['write behind the back', 'crash a process', 'pause a process'],
  },
  {
    name: 'watermark on half a batch',
    level: 'strict+durable',
    outboxDatabase: HalfABatch,
    only: ['write behind the back', 'lose the commit reply'],
  },
  {
    name: 'scan after the last id',
    level: 'strict+durable',
    outboxDatabase: AfterTheLastId,
    only: ['write behind the back', 'lose the commit reply'],
  },
  {
    name: 'scan that skips locked rows',
    level: 'strict+durable',
    outboxDatabase: SkipLocked,
    only: ['write behind the back', 'lose the commit reply', 'pause a process'],
  },
  {
    name: 'sweeper without fence',
    level: 'strict+durable',
    history: onlyHistory,
    outboxDatabase: WithoutFence,
    only: ['split', 'write behind the back'],
  },
];
