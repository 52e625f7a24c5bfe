// The outbox in a SQL database: what sweeper and writers ask, as single statements over a TypeORM query().
import { createHash } from 'node:crypto';
import { systemClock, type Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Ask, AskAtOnce, OutboxDatabase, OutboxState, OutboxWriter, Scan } from '../contract/outbox.js';
import { EVERYTHING } from '../entry/tags.js';
import {
  idList,
  OUTBOX_TABLE,
  qualified,
  STATE_TABLE,
  type Dialect,
  type Outcome,
  type Row,
  type ServerFacts,
} from '../sql/dialect.js';
import { parseTags, rowOf, stateOf, transactionsOf } from './rows.js';
import { insideSavepoint, insideSavepointAtOnce } from './savepoint.js';
import { Told } from './told.js';

/** Longer lists of tags mean everything; MySQL's TEXT ends at 65,535 bytes. */
const MOST_CHARACTERS = 60_000;
/** Printable ASCII without quote and backslash: what tags and namespaces are made of. */
const LITERAL = /^[ -&(-[\]-~]*$/;
/** Rows of triggers that one writer takes upon itself; with more, everything is meant. */
const MOST_TRIGGERED = 1000;
/** Rows that one collapse replaces. */
const MOST_COLLAPSED = 20_000;
/** Unreadable rows kept to be looked at. */
const MOST_SET_ASIDE = 1000;

export interface SqlOutboxParts {
  readonly dialect: Dialect;
  /** Of the DataSource: outside transactions, on the primary. */
  readonly ask: Ask;
  readonly namespace: string;
  readonly emit: EventSink;
  readonly clock?: Clock;
  /** Where the tables are; default: where the connection looks first. */
  readonly schema?: string;
  /** Writers wake the sweepers (PostgreSQL). Default false, see notify.ts. */
  readonly notify?: boolean;
}

/** The channel on which writers wake the sweepers of a namespace. */
export function wakeChannel(namespace: string): string {
  // PostgreSQL refuses names of 64 bytes and more.
  return `report_cache_${createHash('sha256').update(namespace).digest('hex').slice(0, 16)}`;
}

export class SqlOutbox implements OutboxDatabase, OutboxWriter {
  readonly #outbox: string;
  readonly #mine: string;
  readonly #state: string;
  /** The fence: part of each statement that takes rows out. */
  readonly #whileTrue: string;
  readonly #told: Told;
  #facts: ServerFacts | undefined;

  constructor(private readonly parts: SqlOutboxParts) {
    const { dialect, schema, emit, clock = systemClock } = parts;
    this.#outbox = qualified(dialect, schema, OUTBOX_TABLE);
    this.#state = qualified(dialect, schema, STATE_TABLE);
    this.#mine = 'namespace = $1 AND set_aside IS NULL';
    this.#whileTrue = `EXISTS (SELECT 1 FROM ${this.#state} WHERE namespace = $1 AND epoch = $2)`;
    this.#told = new Told((ids, epoch) => this.#remove(parts.ask, ids, epoch), emit, clock);
  }

  // Writers

  /** A row that cannot be written costs the caller nothing: his transaction goes on as if it had not been tried. */
  async write(ask: Ask, tags: readonly string[], atOnce?: AskAtOnce): Promise<string> {
    const { noTransaction } = this.parts.dialect;
    const statement = atOnce && this.#literalInsert(tags, false);
    if (atOnce === undefined || statement === undefined)
      return insideSavepoint(ask, noTransaction, () => this.#insert(ask, tags, false));
    const [row] = await insideSavepointAtOnce(ask, atOnce, noTransaction, statement);
    return idOf((row as Row | undefined)?.['id']);
  }

  /**
   * Its commit does not wait for the disk where that can be said: the commit of the statement that follows does, and
   * whatever holds that one on the disk or on a replica holds this one, which is older.
   */
  async intend(ask: Ask, tags: readonly string[], atOnce?: AskAtOnce): Promise<string> {
    const statement = atOnce && this.#literalInsert(tags, true);
    if (atOnce === undefined || statement === undefined) return this.#insert(ask, tags, true);
    const [row] = await atOnce(['SET LOCAL synchronous_commit = off', statement]);
    return idOf((row as Row | undefined)?.['id']);
  }

  async byTriggers(ask: Ask): Promise<{ readonly ids: readonly string[]; readonly tags: readonly string[] }> {
    const found = await this.#run(
      `SELECT id, tags FROM ${this.#outbox} WHERE ${this.#mine} AND source = 'trigger'` +
        ` AND pid = ${this.parts.dialect.connectionId} ORDER BY id LIMIT ${MOST_TRIGGERED + 1}`,
      [],
      ask,
    );
    // Those of the connection's earlier writes are in force already.
    const rows = found.rows.filter((row) => !this.#told.has(String(row['id'])));
    const tags = new Set(rows.flatMap((row) => parseTags(row['tags']) ?? [EVERYTHING]));
    const all = found.rows.length > MOST_TRIGGERED || tags.has(EVERYTHING);
    return { ids: rows.map((row) => String(row['id'])), tags: all ? [EVERYTHING] : [...tags] };
  }

  told(ids: readonly string[], epoch: string): void {
    this.#told.add(ids, epoch);
  }

  async toldNow(ask: Ask, ids: readonly string[], epoch: string): Promise<boolean> {
    if (ids.length > 0 && (await this.#remove(ask, ids, epoch)) === ids.length) return true;
    // Taken out by somebody else: under which name?
    const { rows } = await this.#run(
      `SELECT 1 AS held FROM ${this.#state} WHERE namespace = $1 AND epoch = $2`,
      [epoch],
      ask,
    );
    return rows.length > 0;
  }

  withdraw(ids: readonly string[]): void {
    this.#told.add(ids, undefined);
  }

  async isGone(ask: Ask, id: string): Promise<boolean> {
    const sql = `SELECT id FROM ${this.#outbox} WHERE ${this.#mine} AND id IN (${idList([id])})`;
    const { rows } = await this.#run(sql, [], ask);
    return rows.length === 0;
  }

  executed(ids: readonly string[]): void {
    if (ids.length === 0) return;
    const sql = `UPDATE ${this.#outbox} SET intent = ${this.parts.dialect.false} WHERE namespace = $1 AND id IN (${idList(ids)})`;
    this.#run(sql).catch((error: unknown) => {
      // They are invalidated again and again for a minute instead.
      const text = errorText(error);
      this.parts.emit({ kind: 'outboxFailed', operation: 'executed', error: text });
    });
  }

  /** Resolves when everything that was told has been taken out, or left to the sweeper. */
  close(): Promise<void> {
    return this.#told.settled();
  }

  // Sweeper

  async scan(limit: number): Promise<Scan> {
    let rows = await this.#read(limit);
    if (rows.length === 0) {
      await this.#begin();
      rows = await this.#read(limit);
    }
    const [head] = rows;
    if (head === undefined) throw new Error('The state of the outbox cannot be read back: does a replica answer?');
    const found = rows.filter((row) => row['id'] !== null).map(rowOf);
    const lsn = head['lsn'];
    return {
      state: stateOf(head),
      incarnation: String(head['incarnation_now']),
      rows: found,
      count: found.length < limit ? found.length : await this.#count(),
      lsn: typeof lsn === 'string' ? lsn : undefined,
      ...transactionsOf(head),
    };
  }

  remove(ids: readonly string[], epoch: string): Promise<number> {
    return this.#remove(this.parts.ask, ids, epoch);
  }

  async swept(epoch: string, seq: number): Promise<boolean> {
    const { affected } = await this.#run(
      `UPDATE ${this.#state} SET seq = GREATEST(seq, $3), swept_at = ${this.parts.dialect.now} WHERE namespace = $1 AND epoch = $2`,
      [epoch, seq],
    );
    return affected > 0;
  }

  async adopt(seen: OutboxState, next: { generation: number; epoch: string; incarnation: string }): Promise<boolean> {
    const { affected } = await this.#run(
      `UPDATE ${this.#state} SET generation = $4, epoch = $5, incarnation = $6, seq = 0, swept_at = ${this.parts.dialect.now}` +
        ` WHERE namespace = $1 AND epoch = $2 AND generation = $3`,
      [seen.epoch, seen.generation, next.generation, next.epoch, next.incarnation],
    );
    return affected > 0;
  }

  async setAside(ids: readonly string[], why: string): Promise<void> {
    const { rows } = await this.#run(
      `SELECT count(*) AS kept FROM ${this.#outbox} WHERE namespace = $1 AND set_aside IS NOT NULL`,
    );
    if (Number(rows[0]?.['kept']) + ids.length > MOST_SET_ASIDE) await this.#remove(this.parts.ask, ids);
    else
      await this.#run(`UPDATE ${this.#outbox} SET set_aside = $2 WHERE namespace = $1 AND id IN (${idList(ids)})`, [
        why,
      ]);
  }

  /** The rows are read first: only what was committed before the one that replaces them is surely covered by it. */
  async collapse(): Promise<number> {
    const { rows } = await this.#run(
      `SELECT id, intent FROM ${this.#outbox} WHERE ${this.#mine} ORDER BY id LIMIT ${MOST_COLLAPSED}`,
    );
    if (rows.length === 0) return 0;
    await this.#insert(
      this.parts.ask,
      [EVERYTHING],
      rows.some((row) => Boolean(row['intent'])),
    );
    const ids = rows.map((row) => String(row['id']));
    return this.#remove(this.parts.ask, ids);
  }

  // Statements

  async #insert(ask: Ask, tags: readonly string[], intent: boolean): Promise<string> {
    const { dialect, namespace, notify } = this.parts;
    const wake = notify && dialect.name === 'postgres';
    const { id } = await this.#run(
      `INSERT INTO ${this.#outbox} (namespace, tags, intent) VALUES ($1, $2, $3)${dialect.returningId(wake ? '$4' : undefined)}`,
      [textOf(tags), intent, ...(wake ? [wakeChannel(namespace)] : [])],
      ask,
    );
    return idOf(id);
  }

  /** Undefined for texts that could be anything but themselves between quotes. */
  #literalInsert(tags: readonly string[], intent: boolean): string | undefined {
    const { dialect, namespace, notify } = this.parts;
    const text = textOf(tags);
    if (!LITERAL.test(text) || !LITERAL.test(namespace)) return undefined;
    const returning = dialect.returningId(notify ? `'${wakeChannel(namespace)}'` : undefined);
    return `INSERT INTO ${this.#outbox} (namespace, tags, intent) VALUES ('${namespace}', '${text}', ${intent})${returning}`;
  }

  /** Without an epoch there is no fence: the rows stand for nothing. */
  async #remove(ask: Ask, ids: readonly string[], epoch?: string): Promise<number> {
    if (ids.length === 0) return 0;
    const these = `DELETE FROM ${this.#outbox} WHERE namespace = $1 AND id IN (${idList(ids)})`;
    if (epoch === undefined) return (await this.#run(these, [], ask)).affected;
    return (await this.#run(`${these} AND ${this.#whileTrue}`, [epoch], ask)).affected;
  }

  /** State and rows in one statement: they belong to one moment, and the WAL position covers both. */
  async #read(limit: number): Promise<Outcome['rows']> {
    const { dialect, ask } = this.parts;
    try {
      this.#facts ??= await dialect.facts(ask);
      const { incarnation, lsn } = this.#facts;
      const { rows } = await this.#run(
        `SELECT s.generation, s.epoch, s.seq, s.incarnation, ${dialect.msSince('s.swept_at')} AS silent_ms,` +
          ` (SELECT ${incarnation}) AS incarnation_now, (SELECT ${lsn}) AS lsn, o.id, o.tags, o.intent, o.source, o.age_ms, ${dialect.transactions}` +
          ` FROM ${this.#state} s LEFT JOIN (SELECT id, tags, intent, source, ${dialect.msSince('at')} AS age_ms` +
          ` FROM ${this.#outbox} WHERE ${this.#mine} ORDER BY id LIMIT ${limit}) o ON ${dialect.true}` +
          ` WHERE s.namespace = $1 ORDER BY o.id`,
      );
      return rows;
    } catch (error) {
      // Another server may answer from now on, or what was allowed is not any more.
      this.#facts = undefined;
      throw error;
    }
  }

  async #count(): Promise<number> {
    const { rows } = await this.#run(`SELECT count(*) AS waiting FROM ${this.#outbox} WHERE ${this.#mine}`);
    return Number(rows[0]?.['waiting']);
  }

  /** A namespace begins without a generation, so the first sweeper adopts its Redis. */
  async #begin(): Promise<void> {
    const { now, unlessExists } = this.parts.dialect;
    await this.#run(
      `INSERT INTO ${this.#state} (namespace, generation, epoch, seq, incarnation, swept_at) VALUES ($1, 0, '', 0, '', ${now}) ${unlessExists}`,
    );
  }

  /** Runs a statement whose first parameter is the namespace. */
  #run(sql: string, parameters: readonly unknown[] = [], ask = this.parts.ask): Promise<Outcome> {
    return this.parts.dialect.run(ask, sql, [this.parts.namespace, ...parameters]);
  }
}

function textOf(tags: readonly string[]): string {
  const text = tags.join(' ');
  return text.length > MOST_CHARACTERS ? EVERYTHING : text;
}

function idOf(id: unknown): string {
  if (typeof id === 'string' || typeof id === 'number' || typeof id === 'bigint') return String(id);
  throw new Error('The outbox row has no id: is its table what the migration made?');
}
