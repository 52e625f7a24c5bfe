// The outbox statements on the simulated database: each is one step there, as a statement of its own would be.
import { Told } from '../library.mjs';
import { lsnText } from './database.mjs';

/** @typedef {import('./process.mjs').SimProcess} SimProcess */
/** @typedef {import('../scheduler.mjs').Lane} Lane */
/** @typedef {import('../../src/contract/outbox.js').Ask} Ask */
/** @typedef {import('../../src/contract/outbox.js').OutboxDatabase} OutboxDatabase */
/** @typedef {import('../../src/contract/outbox.js').OutboxWriter} OutboxWriter */

/** The statements of a sweeper. @implements {OutboxDatabase} */
export class SimOutboxDatabase {
  /** @param {SimProcess} process @param {Lane} lane */
  constructor(process, lane) {
    this.process = process;
    this.lane = lane;
  }

  /**
   * @template T
   * @param {string} label
   * @param {(database: import('./database.mjs').Database) => T} statement
   */
  ask(label, statement) {
    return this.process.ask(this.lane, label, (database, answer) => answer(statement(database)));
  }

  /** @param {number} limit */
  scan(limit) {
    return this.ask('scan the outbox', (database) => {
      const { committed, incarnation } = database;
      const { sweptAt, ...state } = committed.state;
      const rows = this.select(committed.outbox, limit).map(({ id, tags, intent, at }) => ({
        id,
        tags,
        intent,
        ageMs: database.clock() - at,
      }));
      return {
        state: { ...state, silentMs: database.clock() - sweptAt },
        incarnation,
        rows,
        count: committed.outbox.length,
        lsn: lsnText(committed.lsn),
      };
    });
  }

  /** @param {readonly import('./database.mjs').OutboxRecord[]} outbox @param {number} limit */
  select(outbox, limit) {
    return outbox.toSorted((a, b) => Number(a.id) - Number(b.id)).slice(0, limit);
  }

  /** @param {readonly string[]} ids @param {string} epoch */
  remove(ids, epoch) {
    return this.ask(`delete ${ids.length} outbox rows under ${epoch}`, (database) => database.deleteRows(ids, epoch));
  }

  /** @param {string} epoch @param {number} seq */
  swept(epoch, seq) {
    return this.ask(`note the sweep under ${epoch}`, (database) => {
      const { state } = database.committed;
      if (state.epoch !== epoch) return false;
      database.change({ state: { ...state, seq: Math.max(seq, state.seq), sweptAt: database.clock() } });
      return true;
    });
  }

  /**
   * @param {import('../../src/contract/outbox.js').OutboxState} seen
   * @param {{ generation: number, epoch: string, incarnation: string }} next
   */
  adopt(seen, next) {
    return this.ask(`adopt ${next.epoch} as generation ${next.generation}`, (database) => {
      const { state } = database.committed;
      if (state.generation !== seen.generation || state.epoch !== seen.epoch) return false;
      this.process.world.count('adopted');
      database.change({ state: { ...next, seq: 0, sweptAt: database.clock() } });
      return true;
    });
  }

  /** @param {readonly string[]} ids */
  setAside(ids) {
    return this.ask('set outbox rows aside', (database) => {
      database.change({ outbox: database.committed.outbox.filter(({ id }) => !ids.includes(id)) });
    });
  }

  collapse() {
    return this.ask('collapse the outbox', (database) => {
      const replaced = database.committed.outbox.length;
      database.change({ outbox: [database.outboxRecord(['*'])] });
      return replaced;
    });
  }
}

/** The statements of the writers, over their own connections. @implements {OutboxWriter} */
export class SimOutboxWriter {
  #told;
  #process;
  #lane;

  /** @param {SimProcess} process @param {Lane} lane for what is done in the background */
  constructor(process, lane) {
    this.#process = process;
    this.#lane = lane;
    /** @type {(ids: readonly string[], epoch: string | undefined) => Promise<unknown>} */
    const remove = (ids, epoch) =>
      process.ask(lane, `delete outbox rows ${ids.join(' ')} under ${epoch}`, (database, answer) =>
        answer(database.deleteRows(ids, epoch)),
      );
    this.#told = new Told(remove, (event) => process.world.heard(process, event), process.clock);
  }

  /** @param {Ask} ask @param {readonly string[]} tags */
  async write(ask, tags) {
    return String(await ask('INSERT INTO the outbox', [tags]));
  }

  /** @param {Ask} ask @param {readonly string[]} tags */
  async intend(ask, tags) {
    return String(await ask('INSERT an announcement', [tags]));
  }

  byTriggers() {
    return Promise.resolve({ ids: [], tags: [] });
  }

  /** @param {readonly string[]} ids @param {string} epoch */
  told(ids, epoch) {
    this.#told.add(ids, epoch);
  }

  /** @param {Ask} ask @param {readonly string[]} ids @param {string} epoch */
  async toldNow(ask, ids, epoch) {
    return (await ask('DELETE under the fence', [ids, epoch])) === true;
  }

  /** @param {readonly string[]} ids */
  executed(ids) {
    if (ids.length === 0) return;
    void this.#process.ask(this.#lane, `rows ${ids.join(' ')} are executed`, (database, answer) => {
      const { outbox } = database.committed;
      database.change({ outbox: outbox.map((row) => (ids.includes(row.id) ? { ...row, intent: false } : row)) });
      answer(undefined);
    });
  }

  /** @param {readonly string[]} ids */
  withdraw(ids) {
    this.#told.add(ids, undefined);
  }

  /** @param {Ask} ask @param {string} id */
  async isGone(ask, id) {
    return (await ask('SELECT from the outbox', [id])) === true;
  }
}
