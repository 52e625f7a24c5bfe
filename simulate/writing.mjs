// A writer: the shipped delivery of tags through a commit, over statements of a simulated connection.
import { Delivery, TagBag } from './library.mjs';
import { tagsOf } from './reports.mjs';
import { lsnText } from './world/database.mjs';

/** @typedef {import('./simulation.mjs').World} World */
/** @typedef {import('./reading.mjs').Place} Place */
/** @typedef {import('./oracle.mjs').Versions} Versions */
/** @typedef {import('./world/database.mjs').Transaction} Transaction */
/** @typedef {import('../src/typeorm/delivery.js').Prepared} Prepared */
/** @typedef {import('../src/typeorm/typeorm-like.js').QueryRunnerLike} QueryRunnerLike */
/** @typedef {import('../src/contract/store.js').Invalidated} Invalidated */
/** @typedef {{ readonly rollsBack: boolean, readonly losesReply: boolean, readonly behindTheBack: boolean, readonly autocommit: boolean }} Fate */

/** What `Delivery` puts in front of its own statements. */
const COMMENT = /^\/\*.*?\*\/\s*/;

/** One write of one connection. A broken variant replaces a step. */
export class Writing {
  /** What this write invalidates. @type {readonly string[]} */
  tags = [];
  /** Where its last invalidation stands. @type {Invalidated | undefined} */
  position = undefined;
  /** When its mark was sent. */
  markSent = 0;

  /** @param {World} world @param {Place} place */
  constructor(world, place) {
    this.world = world;
    this.place = place;
    this.transaction = world.beginTransaction(place.process);
    const { invalidations, clock, durable } = place.process;
    /** Reads and writes nothing of its own: all that it is asked for is below. */
    this.runner = /** @type {QueryRunnerLike} */ (
      /** @type {unknown} */ ({
        isReleased: false,
        query: (/** @type {string} */ text, /** @type {unknown[]} */ parameters) =>
          this.statement(text.replace(COMMENT, ''), parameters ?? []),
      })
    );
    this.delivery = new Delivery({
      driver: /** @type {import('../src/typeorm/typeorm-like.js').DriverLike} */ (
        /** @type {unknown} */ ({ options: { type: 'postgres' } })
      ),
      invalidator: {
        get epoch() {
          return invalidations.epoch;
        },
        mark: (tags) => {
          this.markSent = world.scheduler.now;
          return invalidations.mark(tags);
        },
        unmark: (mark) => invalidations.unmark(mark),
        invalidate: async (...args) => {
          this.position = await invalidations.invalidate(...args);
          return this.position;
        },
      },
      emit: (event) => world.heard(place.process, event),
      clock,
      sharedRunner: false,
      marks: world.settings.mark,
      durable: () => durable,
      replayNeeded: async (ask) => (world.replicas ? String(await ask('WAL position')) : undefined),
    });
  }

  get process() {
    return this.place.process;
  }

  get bag() {
    const bag = new TagBag();
    for (const tag of this.tags) bag.add(/** @type {import('../src/entry/tags.js').Tag} */ (tag));
    return bag;
  }

  /** @param {readonly string[]} rows @param {Fate} fate */
  async write(rows, fate) {
    this.tags = tagsOf(rows);
    /** @type {Record<string, number>} */
    const versions = {};
    const update = async () => {
      for (const row of rows) versions[row] = await this.update(row);
    };
    /** @type {Prepared} */
    let prepared;
    try {
      if (fate.autocommit) {
        // The row of its own comes first: nobody knows yet what the statement will do.
        prepared = await this.delivery.beforeStatement(this.runner, this.bag);
        await update();
      } else {
        await update();
        if (fate.behindTheBack) return await this.behindTheBack(versions);
        prepared = await this.delivery.beforeCommit(this.runner, this.bag);
      }
    } catch {
      this.world.count('mark refused');
      return this.rollBack(undefined);
    }
    if (fate.rollsBack) return this.rollBack(prepared);
    try {
      if (!(await this.commit(versions, prepared, fate.losesReply))) return undefined;
    } catch {
      await this.outcomeUnknown(prepared);
      // The caller gets an error, but he gets it after this. Without a connection no fence can be asked for: then within lambda.
      if (!this.world.settings.fencedAnswers) this.acknowledge(versions);
      return undefined;
    }
    await this.afterCommit(versions, prepared);
    return undefined;
  }

  /** @param {string} row @returns {Promise<number>} */
  update(row) {
    return this.process.ask(this.place.lane, `update ${row}`, (database, answer) =>
      database.update(this.transaction, row, answer),
    );
  }

  /** A trigger writes the row of the outbox; nobody in this process hears of the write. @param {Versions} versions */
  async behindTheBack(versions) {
    await this.statement('INSERT INTO the outbox', [this.tags]);
    await this.commit(versions, { rows: [], marks: [] }, false);
  }

  /** @param {Prepared | undefined} prepared */
  async rollBack(prepared) {
    await this.process.ask(this.place.lane, 'ROLLBACK', (database, answer) =>
      answer(database.rollback(this.transaction)),
    );
    if (prepared !== undefined) await this.delivery.withdraw(prepared);
  }

  /** @param {Versions} versions @param {Prepared} prepared @param {boolean} losesReply @returns {Promise<boolean>} */
  commit(versions, { marks }, losesReply) {
    return this.process.ask(this.place.lane, 'COMMIT', (database, answer, fail) => {
      const committed = database.commit(this.transaction);
      const lsn = lsnText(database.committed.lsn);
      // A writer who has slept past the deadline of his mark, by Redis's time or his own, gets his window back.
      const { now } = this.world.scheduler;
      const inTime = now < this.markSent + this.world.settings.markTtlMs;
      const marked = inTime && marks.some(({ id }) => (this.world.marks.get(id) ?? -1) > now);
      if (committed)
        for (const [row, version] of Object.entries(versions)) this.world.oracle.committed(row, version, lsn, marked);
      if (losesReply) fail(new Error('Connection terminated unexpectedly'));
      else answer(committed);
    });
  }

  /** @param {Versions} versions @param {Prepared} prepared */
  async afterCommit(versions, prepared) {
    await this.delivery.deliver(this.runner, this.bag, 'commit', prepared);
    this.acknowledge(versions);
  }

  /** The COMMIT may have been executed: treated as if it had been; its row is left to the sweeper. @param {Prepared} prepared */
  async outcomeUnknown({ marks }) {
    await this.delivery.deliver(undefined, this.bag, 'rollback', { rows: [], marks });
  }

  /** @param {Versions} versions */
  acknowledge(versions) {
    const { position } = this;
    // Without an outbox nobody vouches for a write that was answered because it could not wait any longer.
    if (position === undefined && !this.world.settings.durable) {
      this.world.count('answered unproved');
      return;
    }
    this.world.count(position === undefined ? 'answered after the hold' : 'answered');
    const known = Object.entries(versions).map(([row, version]) => this.world.oracle.acknowledged(row, version));
    if (position !== undefined && !known.includes(false)) this.world.lastAnswer = { position, versions };
  }

  /** What the outbox asks over this connection. @param {string} text @param {unknown[]} parameters @returns {Promise<unknown>} */
  statement(text, parameters) {
    const { process, transaction } = this;
    return process.ask(this.place.lane, `${text} ${parameters.join(' ')}`, (database, answer) => {
      const [first, second] = parameters;
      switch (text) {
        case 'WAL position':
          return answer(lsnText(database.committed.lsn));
        case 'INSERT INTO the outbox': {
          const record = database.outboxRecord(/** @type {readonly string[]} */ (first));
          transaction.outbox.push(record);
          return answer(record.id);
        }
        case 'INSERT an announcement': {
          const record = database.outboxRecord(/** @type {readonly string[]} */ (first), true);
          database.change({ outbox: [...database.committed.outbox, record] });
          return answer(record.id);
        }
        case 'DELETE under the fence': {
          const own = database.committed.state.epoch === second;
          database.deleteRows(/** @type {readonly string[]} */ (first), String(second));
          return answer(own);
        }
        case 'SELECT from the outbox':
          return answer(!database.committed.outbox.some(({ id }) => id === first));
        default:
          throw new Error(`The simulated connection does not know ${text}.`);
      }
    });
  }
}
