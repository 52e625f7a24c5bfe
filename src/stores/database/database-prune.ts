// Deletes entries that nobody can be served any more, and forgets the tags that no entry needs.
import type { Ask } from '../../contract/outbox.js';
import type { Row } from '../../sql/dialect.js';
import type { Flavour, Tables } from './flavour.js';

/** Entries deleted, by report type. */
export type Pruned = Readonly<Record<string, number>>;

/** Rows that one step looks at: invalidations wait no longer than for one. */
const PAGE = 100;
/** A computation that has run for longer is not stored any more: the tags of its time may be forgotten. */
const LONGEST_COMPUTATION_MS = 3_600_000;

/** Gives each step the connection; whoever waits for it comes in between. */
type Step = <T>(task: (ask: Ask, outdated: string) => Promise<T>) => Promise<T>;

export class DatabasePrune {
  constructor(
    private readonly flavour: Flavour,
    private readonly tables: Tables,
    private readonly namespace: string,
  ) {}

  /** @param step also tells SQL of whether an entry `e` was invalidated, beside the position `q`. */
  async run(step: Step, now: number): Promise<Pruned> {
    const upTo = await step((ask) => this.#longAgo(ask, now));
    const deleted: Record<string, number> = {};
    for (let after: string | undefined = ''; after !== undefined;) {
      const from: string = after;
      after = await step((ask, outdated) => this.#page(ask, outdated, now, upTo, from, deleted));
    }
    await step((ask) => this.#forget(ask, upTo));
    return deleted;
  }

  async #longAgo(ask: Ask, now: number): Promise<number> {
    const [known] = await this.#run(
      ask,
      `SELECT COALESCE(MAX(seq), 0) AS seq FROM ${this.tables.tag} WHERE namespace = $1 AND at < $2`,
      [now - LONGEST_COMPUTATION_MS],
    );
    return Number(known?.['seq']);
  }

  /**
   * What is left of a page was compared with all tags a moment ago, so it is as good as computed at `upTo`: then it needs
   * none of the tags before that.
   * @returns where the next page begins.
   */
  async #page(
    ask: Ask,
    outdated: string,
    now: number,
    upTo: number,
    after: string,
    deleted: Record<string, number>,
  ): Promise<string | undefined> {
    const { entry, position } = this.tables;
    const page = await this.#run(
      ask,
      `SELECT e.name, e.type, e.as_of, CASE WHEN e.delete_at <= $3 OR ${outdated} THEN 1 ELSE 0 END AS gone` +
        ` FROM ${entry} e JOIN ${position} q ON q.namespace = e.namespace WHERE e.namespace = $1 AND e.name > $2` +
        ` ORDER BY e.name LIMIT ${PAGE}`,
      [after, now],
    );
    const gone = page.filter((row) => Number(row['gone']) === 1);
    const old = page.filter((row) => Number(row['gone']) !== 1 && Number(row['as_of']) < upTo);
    if (gone.length > 0)
      await this.#run(ask, `DELETE FROM ${entry} WHERE namespace = $1 AND ${these(gone, 2)}`, ids(gone));
    if (old.length > 0)
      await this.#run(ask, `UPDATE ${entry} SET as_of = $2 WHERE namespace = $1 AND ${these(old, 3)}`, [
        upTo,
        ...ids(old),
      ]);
    for (const { type } of gone) deleted[String(type)] = (deleted[String(type)] ?? 0) + 1;
    return page.length < PAGE ? undefined : String(page.at(-1)?.['name']);
  }

  /** The floor first: from then on nothing is valid that could need what is deleted. */
  async #forget(ask: Ask, upTo: number): Promise<void> {
    const { position, tag } = this.tables;
    await this.#run(ask, `UPDATE ${position} SET floor = $2 WHERE namespace = $1 AND floor < $3`, [upTo, upTo]);
    await this.#run(ask, `DELETE FROM ${tag} WHERE namespace = $1 AND seq <= $2`, [upTo]);
  }

  async #run(ask: Ask, sql: string, parameters: readonly unknown[]): Promise<readonly Row[]> {
    return (await this.flavour.sql.run(ask, sql, [this.namespace, ...parameters])).rows;
  }
}

/** These very rows, and not what has taken their place since. */
function these(rows: readonly Row[], from: number): string {
  return `(${rows.map((_, at) => `(name = $${from + 2 * at} AND as_of = $${from + 2 * at + 1})`).join(' OR ')})`;
}

function ids(rows: readonly Row[]): unknown[] {
  return rows.flatMap((row) => [String(row['name']), Number(row['as_of'])]);
}
