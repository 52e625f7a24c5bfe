// What must hold, checked at every answer and every store: the promises of the README, in versions of rows.

/** @typedef {import('./settings.mjs').Settings} Settings */
/** @typedef {Readonly<Record<string, number>>} Versions versions of rows, as a report shows them */
/** @typedef {{ readonly version: number, readonly lsn: string, readonly marked: boolean, readonly committedAt: number, ackedAt: number }} Write */
/** @typedef {{ readonly invariant: string, readonly detail: string }} Violation */

/**
 * I1: who asks after a write was answered sees it. I2: nothing that was shown is hidden again. I3: who asks after COMMIT
 * sees it. I4: what nobody answered for is seen within the bound, and what was lost is not shown after it.
 * S3: nothing is stored whose dependencies have moved. Token: a client sees his own writes.
 */
export class Oracle {
  /** @type {Violation | undefined} */
  violation = undefined;
  /** A second truth existed: answers of the other one count only after the bound. */
  split = false;
  /** By how much the clock of Redis has been set back, ms. */
  clockDebt = 0;
  /** @type {Map<string, Write[]>} */
  #writes;
  /** @type {Map<string, number>} */
  #seen = new Map();
  /** Versions that a failover of the database has undone, and when. @type {Map<number, number>} */
  #lost = new Map();
  /** By server and epoch: versions that are in force there. @type {Map<string, Map<string, number>>} */
  #inForce = new Map();

  /** @param {readonly string[]} rows @param {Settings} settings @param {() => number} clock @param {(what: string) => void} count */
  constructor(rows, settings, clock, count) {
    this.count = count;
    this.settings = settings;
    this.clock = clock;
    this.#writes = new Map(rows.map((row) => [row, []]));
  }

  /** @param {string} invariant @param {string} detail */
  fail(invariant, detail) {
    this.violation ??= { invariant, detail };
  }

  /** @param {string} row @param {number} version @param {string} lsn @param {boolean} marked a mark stood when it was committed */
  committed(row, version, lsn, marked) {
    this.#writes.get(row)?.push({ version, lsn, marked, committedAt: this.clock(), ackedAt: Infinity });
  }

  /** @param {string} row @param {number} version @returns {boolean} whether there is such a version */
  acknowledged(row, version) {
    const write = this.#writes.get(row)?.find((one) => one.version === version);
    if (write !== undefined) write.ackedAt = this.clock();
    return write !== undefined;
  }

  /** The database has forgotten everything after this. @param {ReadonlyMap<string, number>} rows */
  lostAfter(rows) {
    for (const [row, writes] of this.#writes) {
      const kept = rows.get(row) ?? 0;
      for (const { version } of writes) if (version > kept) this.#lost.set(version, this.clock());
      this.#writes.set(
        row,
        writes.filter(({ version }) => version <= kept),
      );
      this.#seen.delete(row);
      for (const inForce of this.#inForce.values()) inForce.set(row, Math.min(inForce.get(row) ?? 0, kept));
    }
  }

  /** How old an answered write may be that a reader does not see. @param {string} consistency */
  #answeredBound(consistency) {
    const lease = consistency === 'lease' ? this.settings.leaseMs : 0;
    // A fence that writers wait for holds in a split too.
    return this.split && !this.settings.fencedAnswers ? this.#committedBound(consistency) : lease;
  }

  /** The same for one that nobody has answered for. @param {string} consistency */
  #committedBound(consistency) {
    if (!this.settings.durable) return Infinity;
    const lease = consistency === 'strict' ? 0 : this.settings.leaseMs;
    return this.settings.lambdaMs + lease + this.clockDebt;
  }

  /**
   * A request begins.
   * @param {string} consistency
   * @param {Versions} [own] what this client has written himself
   */
  begin(consistency, own = {}) {
    const now = this.clock();
    const answered = this.#answeredBound(consistency);
    const committed = this.#committedBound(consistency);
    /** @type {Map<string, { version: number, invariant: string }>} */
    const required = new Map();
    const require = (/** @type {string} */ row, /** @type {number} */ version, /** @type {string} */ invariant) => {
      if (version > (required.get(row)?.version ?? 0)) required.set(row, { version, invariant });
    };
    for (const [row, writes] of this.#writes) {
      for (const { version, committedAt, ackedAt } of writes) {
        if (answered === 0 ? ackedAt <= now : ackedAt + answered < now) require(row, version, 'I1');
        if (committedAt + committed < now) require(row, version, 'I4');
      }
      if (this.settings.inversions) require(row, this.#seen.get(row) ?? 0, 'I2');
      if (this.settings.inversions) for (const { version, marked } of writes) if (marked) require(row, version, 'I3');
      if (!this.split) require(row, own[row] ?? 0, 'token');
    }
    for (const { invariant } of required.values()) this.count(`asked ${invariant}`);
    return { now, required, committed };
  }

  /**
   * Its answer.
   * @param {ReturnType<Oracle['begin']>} request
   * @param {Versions} versions
   * @param {string} how
   */
  answered(request, versions, how) {
    for (const [row, version] of Object.entries(versions)) {
      const required = request.required.get(row);
      if (required !== undefined && version < required.version && !this.#lost.has(required.version))
        this.fail(
          required.invariant,
          `${how} showed ${row} as of ${version}; since its request of ${request.now} ms, ${required.version} is required`,
        );
      const lostAt = this.#lost.get(version);
      if (lostAt !== undefined && this.settings.durable && lostAt + request.committed < request.now)
        this.fail('I4', `${how} showed ${row} as of ${version}, lost ${request.now - lostAt} ms before its request`);
      const marked = this.#writes.get(row)?.find((write) => write.version === version)?.marked;
      if (lostAt === undefined && marked) this.#seen.set(row, Math.max(version, this.#seen.get(row) ?? 0));
    }
  }

  /**
   * An invalidation is in force on this server, and covers what was committed before.
   * @param {string} history
   * @param {string} row
   * @param {string | undefined} lsn where replicas are read it covers no more than what they have to have replayed
   */
  inForce(history, row, lsn) {
    const known = this.#inForce.get(history) ?? new Map();
    this.#inForce.set(history, known);
    for (const write of this.#writes.get(row) ?? [])
      if (lsn === undefined || write.lsn <= lsn) known.set(row, Math.max(known.get(row) ?? 0, write.version));
  }

  /** An entry was stored there. @param {string} history @param {Versions} versions */
  stored(history, versions) {
    const inForce = this.#inForce.get(history);
    for (const [row, version] of Object.entries(versions)) {
      const needed = inForce?.get(row) ?? 0;
      if (version < needed) this.fail('S3', `stored ${row} as of ${version} although ${needed} is in force`);
    }
  }
}
