// The outbox statements on the simulated database: each is one step there, as a statement of its own would be.
import { lsnText } from './database.mjs';

/** @typedef {import('./process.mjs').SimProcess} SimProcess */
/** @typedef {import('../scheduler.mjs').Lane} Lane */
/** @typedef {import('../../src/contract/outbox.js').OutboxDatabase} OutboxDatabase */

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
    return this.ask(`delete ${ids.length} outbox rows under ${epoch}`, (database) =>
      this.process.world.deleteRows(database, ids, epoch),
    );
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

/** What a writer asks: the rows of its own transaction. */
export class SimOutboxWriter {
  /** @type {Map<string, string>} */
  #told = new Map();
  #waiting = false;

  /** @param {SimProcess} process @param {Lane} lane */
  constructor(process, lane) {
    this.process = process;
    this.lane = lane;
  }

  /** Their tags are in force under `epoch`: deleted in the background. @param {readonly string[]} ids @param {string} epoch */
  told(ids, epoch) {
    for (const id of ids) this.#told.set(id, epoch);
    if (this.#waiting) return;
    this.#waiting = true;
    this.process.clock.after(this.process.settings.tellMs, () => {
      this.#waiting = false;
      const told = [...this.#told];
      this.#told.clear();
      for (const [id, epochOfIt] of told) void this.toldNow([id], epochOfIt).catch(() => undefined);
    });
  }

  /** The same at once. @param {readonly string[]} ids @param {string} epoch @returns {Promise<boolean>} whether `epoch` is the true one */
  toldNow(ids, epoch) {
    return this.process.ask(this.lane, `delete outbox row ${ids.join(' ')} under ${epoch}`, (database, answer) => {
      const own = database.committed.state.epoch === epoch;
      this.process.world.deleteRows(database, ids, epoch);
      answer(own);
    });
  }

  /** @param {string} id @returns {Promise<boolean>} */
  isGone(id) {
    return this.process.ask(this.lane, `is outbox row ${id} gone`, (database, answer) =>
      answer(!database.committed.outbox.some((row) => row.id === id)),
    );
  }
}
