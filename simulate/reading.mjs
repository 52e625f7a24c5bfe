// A reader: asks the cache, computes where it has to, and holds every answer against what is promised.
import { Values } from './library.mjs';
import { CODEC, decode, REPORTS } from './reports.mjs';
import { lsnText } from './world/database.mjs';

/** @typedef {import('./simulation.mjs').World} World */
/** @typedef {import('./oracle.mjs').Versions} Versions */
/** @typedef {import('./reports.mjs').Report} Report */
/** @typedef {{ readonly process: import('./world/process.mjs').SimProcess, readonly lane: import('./scheduler.mjs').Lane, readonly name: string }} Place where an operation runs */

const OWNER = 'u';

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
    /** @type {import('../src/contract/reading.js').Coalesce} */
    const coalesce = this.process.settings.claims ? 'shared' : 'process';
    const { ttlMs, freshness } = this.process.settings;
    return {
      key,
      type: 'report',
      owner: OWNER,
      tags,
      ttlMs,
      freshness,
      consistency,
      coalesce,
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
      const stale = !turn.coalesced && this.process.clock.now() >= turn.entry.staleAt;
      this.world.count(`${turn.coalesced ? 'coalesced' : stale ? 'stale' : 'hit'} ${turn.layer}`);
      oracle.answered(begun, decode(turn.entry.body), `${this.place.name} (${turn.layer}, ${consistency})`);
    } else if (turn.next === 'lead' && turn.fallback !== undefined && this.world.random.chance(0.3)) {
      await this.#failBeside(turn.load, turn.fallback, begun);
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

  /**
   * The computation fails after a while, and what was at hand stands in for it.
   * @param {import('../src/contract/reading.js').Load} load
   * @param {import('../src/contract/reading.js').Fallback} fallback
   * @param {ReturnType<import('./oracle.mjs').Oracle['begin']>} begun
   */
  async #failBeside(load, fallback, begun) {
    await load.run(() => this.readRow('r1'));
    load.decline('error');
    const served = fallback.take();
    this.world.count(served === undefined ? 'failed' : 'stood in');
    if (served !== undefined)
      this.world.oracle.answered(begun, decode(served.entry.body), `${this.place.name} (stood in)`);
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
      const { cache, clock, scopes } = this.process;
      const values = new Values(cache, scopes, clock, () => undefined);
      const loader = () => this.compute(innerReport, consistency, addTags);
      const request = this.request(innerReport, consistency);
      Object.assign(versions, (await values.getOrLoad(request, loader, CODEC)).value);
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
