// A database with snapshots: rows with versions, the outbox and the state of the sweepers, a replica that lags behind.

/** @typedef {{ readonly id: string, readonly tags: readonly string[], readonly intent: boolean, readonly at: number }} OutboxRecord */
/** @typedef {{ readonly generation: number, readonly epoch: string, readonly seq: number, readonly incarnation: string, readonly sweptAt: number }} StateRecord */
/**
 * What is committed at one moment. Never changed: a reader's snapshot is one of these.
 * @typedef {{ readonly lsn: number, readonly rows: ReadonlyMap<string, number>, readonly outbox: readonly OutboxRecord[], readonly state: StateRecord }} Snapshot
 */
/** @typedef {{ readonly id: number, readonly writes: Map<string, number>, readonly outbox: OutboxRecord[], over: boolean }} Transaction */

export class Database {
  incarnation = 'database-1';
  #incarnations = 1;
  #xids = 0;
  #outboxIds = 0;
  /** Versions are given once, also to commits that a failover loses: a report shows which it has seen. */
  #versions = 0;
  /** @type {Map<string, { holder: Transaction, queue: (() => void)[] }>} */
  #locks = new Map();
  /** @type {Snapshot[]} */
  #history;

  /** @param {readonly string[]} rows @param {() => number} clock */
  constructor(rows, clock) {
    this.clock = clock;
    /** @type {Snapshot} */
    const first = {
      lsn: 1,
      rows: new Map(rows.map((row) => [row, 0])),
      outbox: [],
      state: { generation: 0, epoch: '', seq: 0, incarnation: this.incarnation, sweptAt: -Infinity },
    };
    this.#history = [first];
    this.committed = first;
    this.replica = first;
  }

  begin() {
    this.#xids += 1;
    /** @type {Transaction} */
    const transaction = { id: this.#xids, writes: new Map(), outbox: [], over: false };
    return transaction;
  }

  /** Waits for the row's lock. @param {Transaction} transaction @param {string} row @param {(version: number) => void} done */
  update(transaction, row, done) {
    const write = () => {
      if (transaction.over) return this.#pass(row);
      this.#locks.set(row, { holder: transaction, queue: this.#locks.get(row)?.queue ?? [] });
      this.#versions += 1;
      transaction.writes.set(row, this.#versions);
      done(this.#versions);
    };
    const lock = this.#locks.get(row);
    if (lock === undefined || lock.holder === transaction) write();
    else lock.queue.push(write);
  }

  /** @param {string} row */
  #pass(row) {
    const next = this.#locks.get(row)?.queue.shift();
    if (next === undefined) this.#locks.delete(row);
    else next();
  }

  /** @param {readonly string[]} tags @returns {OutboxRecord} */
  outboxRecord(tags, intent = false) {
    // Ids are given at the INSERT: they become visible in another order.
    this.#outboxIds += 1;
    return { id: String(this.#outboxIds), tags, intent, at: this.clock() };
  }

  /** @param {Transaction} transaction */
  commit(transaction) {
    if (transaction.over) return false;
    const rows = new Map(this.committed.rows);
    for (const [row, version] of transaction.writes) rows.set(row, version);
    this.change({ rows, outbox: [...this.committed.outbox, ...transaction.outbox] });
    this.#end(transaction);
    return true;
  }

  /** @param {Transaction} transaction */
  rollback(transaction) {
    if (!transaction.over) this.#end(transaction);
  }

  /** @param {Transaction} transaction */
  #end(transaction) {
    transaction.over = true;
    for (const row of transaction.writes.keys()) this.#pass(row);
  }

  /** Only while `epoch` is the true one; undefined: in any case. @param {readonly string[]} ids @param {string | undefined} epoch */
  deleteRows(ids, epoch) {
    const { state, outbox } = this.committed;
    if (epoch !== undefined && state.epoch !== epoch) return 0;
    const left = outbox.filter(({ id }) => !ids.includes(id));
    if (left.length < outbox.length) this.change({ outbox: left });
    return outbox.length - left.length;
  }

  /** What was announced is done. @param {readonly string[]} ids */
  settleRows(ids) {
    const { outbox } = this.committed;
    this.change({ outbox: outbox.map((row) => (ids.includes(row.id) ? { ...row, intent: false } : row)) });
  }

  /** One commit. @param {Partial<Snapshot>} change */
  change(change) {
    this.committed = { ...this.committed, ...change, lsn: this.committed.lsn + 1 };
    this.#history.push(this.committed);
    if (this.#history.length > 12) this.#history.shift();
  }

  /** The replica has replayed a little more. @param {number} commits */
  replay(commits) {
    const at = this.#history.indexOf(this.replica);
    const next = this.#history[Math.min(this.#history.length - 1, at + commits)];
    // Forgotten here means that it is too far behind to be a replica of anything.
    this.replica = at < 0 || next === undefined ? (this.#history[0] ?? this.committed) : next;
  }

  /** Restored without the last commits: another server, or the same one at an earlier time. @param {number} commits */
  loseCommits(commits) {
    const at = Math.max(0, this.#history.length - 1 - commits);
    const before = this.#history[at] ?? this.committed;
    this.#incarnations += 1;
    this.incarnation = `database-${this.#incarnations}`;
    this.#history = [before];
    // The WAL position goes on from there: it is not the time line's alone.
    this.committed = before;
    this.replica = before;
    for (const lock of this.#locks.values()) lock.holder.over = true;
    this.#locks.clear();
    return before;
  }
}

/** 16 hex digits, so that they compare as text. @param {number} lsn */
export const lsnText = (lsn) => lsn.toString(16).padStart(16, '0');
