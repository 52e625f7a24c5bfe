// What entries may take in the database: each owner's share, and all together. Who passes his own bound loses his own.
import type { Ask } from '../../contract/outbox.js';
import type { Row } from '../../sql/dialect.js';
import type { Flavour, Tables } from './flavour.js';

export interface DatabaseLimits {
  /** Bytes of all entries of the namespace, bookkeeping included. */
  readonly maxBytes: number;
  /** Bytes of one owner's entries. */
  readonly maxBytesPerOwner: number;
  /** Bytes of one entry: servers take no packet of any size. */
  readonly maxBytesPerEntry: number;
}

/** All is summed up again after this share of it has been stored by this process: a sum over a big table is not free. */
const SUMMED_AFTER = 0.01;
/** So much is left when room was made for all, so that the next ones need not make room again. */
const LEFT = 0.95;
/** Rows that are looked at, and may go, at a time. */
const BATCH = 200;

export class DatabaseBudget {
  #sinceSum = Infinity;

  constructor(
    private readonly flavour: Flavour,
    private readonly tables: Tables,
    private readonly namespace: string,
    private readonly limits: DatabaseLimits,
  ) {}

  refuses(bytes: number): boolean {
    const { maxBytes, maxBytesPerOwner, maxBytesPerEntry } = this.limits;
    return bytes > Math.min(maxBytes, maxBytesPerOwner, maxBytesPerEntry);
  }

  /** After `bytes` were stored for `owner`. @returns the names of what had to go. */
  async makeRoom(ask: Ask, owner: string, bytes: number, now: number): Promise<ReadonlySet<string>> {
    const { maxBytes, maxBytesPerOwner } = this.limits;
    const gone = new Set<string>();
    const owned = await this.#sum(ask, ' AND owner = $2', [owner]);
    if (owned > maxBytesPerOwner)
      await this.#drop(ask, owned - maxBytesPerOwner, now, gone, ' AND owner = $3', [owner]);
    this.#sinceSum += bytes;
    if (this.#sinceSum < maxBytes * SUMMED_AFTER) return gone;
    const all = await this.#sum(ask);
    if (all > maxBytes) await this.#drop(ask, all - maxBytes * LEFT, now, gone);
    this.#sinceSum = 0;
    return gone;
  }

  async #sum(ask: Ask, which = '', parameters: readonly unknown[] = []): Promise<number> {
    const [row] = await this.#run(
      ask,
      `SELECT COALESCE(SUM(bytes), 0) AS bytes FROM ${this.tables.entry} WHERE namespace = $1${which}`,
      parameters,
    );
    return Number(row?.['bytes']);
  }

  /** What is past its time goes first, then what was cheapest for the room it takes, then what is oldest. */
  async #drop(
    ask: Ask,
    tooMany: number,
    now: number,
    gone: Set<string>,
    which = '',
    parameters: readonly unknown[] = [],
  ): Promise<void> {
    const { entry } = this.tables;
    const among = `FROM ${entry} WHERE namespace = $1`;
    const turns = [
      `SELECT name, bytes ${among} AND delete_at <= $2${which} ORDER BY delete_at LIMIT ${BATCH}`,
      `SELECT name, bytes ${among} AND delete_at > $2${which} ORDER BY worth, created_at LIMIT ${BATCH}`,
    ];
    let left = tooMany;
    for (const sql of turns) {
      for (let rows = await this.#run(ask, sql, [now, ...parameters]); left > 0 && rows.length > 0;) {
        const victims: string[] = [];
        for (const { name, bytes } of rows) {
          if (left <= 0) break;
          victims.push(String(name));
          left -= Number(bytes);
        }
        const places = victims.map((_, at) => `$${at + 2}`).join(', ');
        await this.#run(ask, `DELETE FROM ${entry} WHERE namespace = $1 AND name IN (${places})`, victims);
        for (const name of victims) gone.add(name);
        rows = left > 0 ? await this.#run(ask, sql, [now, ...parameters]) : [];
      }
    }
  }

  async #run(ask: Ask, sql: string, parameters: readonly unknown[]): Promise<readonly Row[]> {
    return (await this.flavour.sql.run(ask, sql, [this.namespace, ...parameters])).rows;
  }
}
