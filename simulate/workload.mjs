// Readers and writers: what an application does with the cache, step by step.
import { AsyncResource } from 'node:async_hooks';
import { getOrLoad } from './library.mjs';
import { lsnText } from './world/database.mjs';

/** @typedef {import('./simulation.mjs').World} World */
/** @typedef {import('./world/process.mjs').SimProcess} SimProcess */
/** @typedef {import('./scheduler.mjs').Lane} Lane */
/** @typedef {import('./oracle.mjs').Versions} Versions */
/** @typedef {{ readonly process: SimProcess, readonly lane: Lane, readonly name: string }} Place where an operation runs */

export const ROWS = ['r1', 'r2'];

const TTL_MS = 30_000;
const OWNER = 'u';

/** @param {string} row */
export const tagOf = (row) => `row:${row}`;

/** What a write to these rows invalidates. @param {readonly string[]} rows */
export const tagsOf = (rows) => [...rows.map(tagOf), 'table:rows'];

/**
 * @typedef {object} Report
 * @property {string} key
 * @property {readonly string[]} rows
 * @property {readonly string[]} tags known before it is computed
 * @property {readonly string[]} later found out while computing
 * @property {string} [inner] key of the cached value inside
 */

/** @type {Readonly<Record<string, Report>>} */
export const REPORTS = {
  one: { key: 'one', rows: ['r1'], tags: [tagOf('r1')], later: [] },
  both: { key: 'both', rows: ['r1', 'r2'], tags: ['table:rows'], later: ROWS.map(tagOf) },
  outer: { key: 'outer', rows: ['r2'], tags: [tagOf('r2')], later: [], inner: 'one' },
};

/** Every detail of a reader that a broken variant may change. */
export class Reading {
  /** The snapshot of a transaction that keeps one. @type {import('./world/database.mjs').Snapshot | undefined} */
  #kept;
  /** Something was read that is not promised to be current. */
  past = false;

  /** @param {World} world @param {Place} place */
  constructor(world, place) {
    this.world = world;
    this.place = place;
  }

  get process() {
    return this.place.process;
  }

  /** @param {Report} report @param {'strict' | 'lease' | 'barrier'} consistency @param {import('../src/contract/entry.js').Position} [atLeast] */
  request(report, consistency, atLeast) {
    const { key, tags } = report;
    return {
      key,
      type: 'report',
      owner: OWNER,
      tags,
      ttlMs: TTL_MS,
      consistency,
      ...(atLeast === undefined ? {} : { atLeast }),
    };
  }

  /** @param {Report} report @param {'strict' | 'lease' | 'barrier'} consistency @param {{ keepsSnapshot: boolean, token: boolean }} manner */
  async read(report, consistency, { keepsSnapshot, token }) {
    const { oracle } = this.world;
    const told = token ? this.world.lastAnswer : undefined;
    // The token is the report's, not that of values inside it.
    const begun = oracle.begin(consistency, report.inner === undefined ? told?.versions : {});
    if (keepsSnapshot) await this.openSnapshot();
    const turn = await this.process.cache.read(this.request(report, consistency, told?.position));
    if (turn.next === 'serve') {
      this.world.count(`${turn.coalesced ? 'coalesced' : 'hit'} ${turn.layer}`);
      oracle.answered(begun, decode(turn.entry.body), `${this.place.name} (${turn.layer}, ${consistency})`);
    } else if (turn.next === 'lead') {
      const { load } = turn;
      const versions = await load.run(() => this.compute(report, consistency, (tags) => load.addTags(tags)));
      const answer = () => this.#answer(begun, versions, `${this.place.name} (computed)`);
      const early = this.world.random.chance(0.5);
      if (early) answer();
      const outcome = await load.store({ body: CODEC.encode(versions), status: 200, headers: [], etag: '' });
      this.world.count(`put ${outcome}`);
      if (!early) answer();
    } else {
      this.world.count(turn.next === 'alone' ? `alone ${turn.reason}` : turn.next);
      this.#answer(begun, await this.compute(report, consistency, () => undefined), `${this.place.name} (alone)`);
    }
    if (keepsSnapshot) this.process.scopes.ended(this, true);
  }

  /** @param {ReturnType<import('./oracle.mjs').Oracle['begin']>} begun @param {Versions} versions @param {string} how */
  #answer(begun, versions, how) {
    // An old snapshot or a replica shows old rows with or without a cache.
    if (!this.past && this.#kept === undefined) this.world.oracle.answered(begun, versions, how);
  }

  /** REPEATABLE READ, opened before the cache is asked. */
  async openSnapshot() {
    this.process.scopes.began(this);
    this.keepSnapshot();
    this.#kept = await this.process.ask(this.place.lane, 'BEGIN with a snapshot', (database, answer) =>
      answer(database.committed),
    );
  }

  keepSnapshot() {
    this.process.scopes.keepsSnapshot(this);
  }

  /** @param {Report} report @param {'strict' | 'lease' | 'barrier'} consistency @param {(tags: readonly string[]) => void} addTags @returns {Promise<Versions>} */
  async compute({ rows, later, inner }, consistency, addTags) {
    /** @type {Record<string, number>} */
    const versions = {};
    if (inner !== undefined) {
      const innerReport = /** @type {Report} */ (REPORTS[inner]);
      const { cache, scopes } = this.process;
      const loader = () => this.compute(innerReport, consistency, addTags);
      const request = this.request(innerReport, consistency);
      Object.assign(versions, await getOrLoad(cache, request, loader, CODEC, () => undefined, scopes));
    }
    for (const row of rows) versions[row] = await this.readRow(row);
    addTags(later);
    return versions;
  }

  /** @param {string} row @returns {Promise<number>} */
  readRow(row) {
    const { lane } = this.place;
    const kept = this.#kept;
    if (kept !== undefined) return Promise.resolve(kept.rows.get(row) ?? 0);
    if (this.world.replicas) return this.readFromReplica(row);
    return this.process.ask(lane, `read ${row}`, (database, answer) => answer(database.committed.rows.get(row) ?? 0));
  }

  /** @param {string} row */
  async readFromReplica(row) {
    const { scopes } = this.process;
    const { lsn, version } = await this.process.ask(
      this.place.lane,
      `read ${row} from the replica`,
      (database, answer) =>
        answer({ lsn: lsnText(database.replica.lsn), version: database.replica.rows.get(row) ?? 0 }),
    );
    if (this.isCurrent(lsn, scopes.replayNeeded)) return version;
    this.past = true;
    this.world.count('replica behind');
    scopes.readFromThePast();
    return version;
  }

  /** @param {string} lsn @param {string | undefined} needed */
  isCurrent(lsn, needed) {
    return needed !== undefined && needed !== '' && lsn >= needed;
  }
}

/** The order of a write's steps, as typeorm/ledger keeps it. A broken variant replaces one of them. */
export class Writing {
  /** What this write invalidates. @type {readonly string[]} */
  tags = [];

  /** @param {World} world @param {Place} place */
  constructor(world, place) {
    this.world = world;
    this.place = place;
  }

  get process() {
    return this.place.process;
  }

  /** @param {readonly string[]} rows @param {{ rollsBack: boolean, losesReply: boolean, behindTheBack: boolean }} fate */
  async write(rows, { rollsBack, losesReply, behindTheBack }) {
    const { process, world } = this;
    const { lane } = this.place;
    const transaction = world.beginTransaction(process);
    /** @type {Record<string, number>} */
    const versions = {};
    for (const row of rows)
      versions[row] = await process.ask(lane, `update ${row}`, (database, answer) =>
        database.update(transaction, row, answer),
      );
    const tags = (this.tags = tagsOf(rows));
    const outboxId = this.process.settings.durable ? await this.insertOutbox(tags, transaction) : undefined;
    if (behindTheBack) {
      await this.commit(transaction, versions, { losesReply: false, mark: undefined });
      return;
    }
    const mark = await this.announce(tags);
    if (rollsBack || mark === 'refused') {
      await process.ask(lane, 'ROLLBACK', (database, answer) => answer(database.rollback(transaction)));
      if (typeof mark === 'object') await process.invalidations.unmark(mark);
      world.count('rolled back');
      return;
    }
    try {
      const committed = await this.commit(transaction, versions, { losesReply, mark });
      if (!committed) return;
    } catch {
      world.count('commit reply lost');
      const position = await this.outcomeUnknown(tags);
      // The caller gets an error, but he gets it after this.
      this.acknowledge(versions, position);
      return;
    }
    const lsn = world.replicas ? await this.lsnAfterCommit() : undefined;
    await this.afterCommit(tags, versions, { outboxId, mark, lsn });
  }

  /** @param {readonly string[]} tags */
  async announce(tags) {
    try {
      return await this.process.invalidations.mark(tags);
    } catch {
      this.world.count('mark refused');
      return 'refused';
    }
  }

  /** @param {readonly string[]} tags @param {import('./world/database.mjs').Transaction} transaction @returns {Promise<string>} */
  insertOutbox(tags, transaction) {
    return this.process.ask(this.place.lane, 'insert into the outbox', (database, answer) => {
      const record = database.outboxRecord(tags, transaction);
      transaction.outbox.push(record);
      answer(record.id);
    });
  }

  /** @param {import('./world/database.mjs').Transaction} transaction @param {Versions} versions @param {{ losesReply: boolean, mark: import('../src/contract/invalidation.js').Mark | undefined }} fate @returns {Promise<boolean>} */
  commit(transaction, versions, { losesReply, mark }) {
    return this.process.ask(this.place.lane, 'COMMIT', (database, answer, fail) => {
      const committed = database.commit(transaction);
      const lsn = lsnText(database.committed.lsn);
      // A writer who has slept past the deadline of his mark gets his window back.
      const marked = mark !== undefined && (this.world.marks.get(mark.id) ?? -1) > this.world.scheduler.now;
      if (committed)
        for (const [row, version] of Object.entries(versions)) this.world.oracle.committed(row, version, lsn, marked);
      if (losesReply) fail(new Error('Connection terminated unexpectedly'));
      else answer(committed);
    });
  }

  /** @returns {Promise<string>} */
  lsnAfterCommit() {
    return this.process.ask(this.place.lane, 'WAL position', (database, answer) =>
      answer(lsnText(database.committed.lsn)),
    );
  }

  /**
   * @param {readonly string[]} tags
   * @param {Versions} versions
   * @param {{ outboxId: string | undefined, mark: import('../src/contract/invalidation.js').Mark | undefined, lsn: string | undefined }} committed
   */
  async afterCommit(tags, versions, { outboxId, mark, lsn }) {
    const { invalidations, outbox } = this.process;
    const position = await invalidations.invalidate(tags, 'commit', {
      ...(mark && { mark }),
      ...(lsn !== undefined && { lsn }),
      ...(outboxId !== undefined && { isDrained: () => outbox.isGone(outboxId) }),
    });
    if (position !== undefined && outboxId !== undefined) outbox.told([outboxId], position.epoch);
    this.acknowledge(versions, position);
  }

  /** @param {Versions} versions @param {import('../src/contract/entry.js').Position | undefined} position */
  acknowledge(versions, position) {
    // Without an outbox nobody vouches for a write that was answered because it could not wait any longer.
    if (position === undefined && !this.process.settings.durable) {
      this.world.count('answered unproved');
      return;
    }
    this.world.count(position === undefined ? 'answered after the hold' : 'answered');
    const known = Object.entries(versions).map(([row, version]) => this.world.oracle.acknowledged(row, version));
    if (position !== undefined && !known.includes(false)) this.world.lastAnswer = { position, versions };
  }

  /**
   * The COMMIT may have been executed: treated as if it had been.
   * @param {readonly string[]} tags
   * @returns {Promise<import('../src/contract/entry.js').Position | undefined>}
   */
  outcomeUnknown(tags) {
    return this.process.invalidations.invalidate(tags, 'rollback');
  }
}

/** Readable in a trace. @type {import('../src/entry/value-codec.js').ValueCodec} */
const CODEC = {
  encode: (versions) => Buffer.from(JSON.stringify(versions)),
  decode: (body) => JSON.parse(body.toString()),
};

/** @param {Buffer} body @returns {Versions} */
export const decode = (body) => /** @type {Versions} */ (CODEC.decode(body));

/** Runs in an asynchronous context of its own, as a request does. @param {() => Promise<void>} task */
export const inItsOwnContext = (task) => new AsyncResource('SimulatedRequest').runInAsyncScope(task);
