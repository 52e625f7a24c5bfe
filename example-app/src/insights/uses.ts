// Counts how results are used: in memory at first, added to the database in one statement from time to time.
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { ResultUse, type ResultKind } from '../entities/index.js';
import type { Delivery } from './delivered.js';

/** A process that is killed loses no more than this. */
const FLUSH_MS = 1000;
/** Rows that wait while the database does not answer; there are as many as results that were read meanwhile. */
const MOST_WAITING = 10_000;
/** Rows of one statement. */
const AT_ONCE = 500;

export interface UseOf {
  readonly kind: ResultKind;
  readonly userId: number;
  readonly subject: string;
  readonly engine: string;
}

interface Counted extends UseOf {
  generated: number;
  hits: number;
  used: number;
  saved: number;
  created: string;
  expires: string | null;
}

/** Who adds to the same rows takes them in one order, so that two processes do not lock each other out. */
const SQL = `
INSERT INTO result_uses AS r (kind, user_id, subject, engine, generated, hits, tokens_used, tokens_saved, created_at, expires_at)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::int[], $6::int[], $7::bigint[], $8::bigint[],
                     $9::timestamptz[], $10::timestamptz[]) AS given (kind, user_id, subject, engine)
 ORDER BY kind, user_id, subject, engine
ON CONFLICT (kind, user_id, subject, engine) DO UPDATE SET
  generated = r.generated + excluded.generated, hits = r.hits + excluded.hits,
  tokens_used = r.tokens_used + excluded.tokens_used, tokens_saved = r.tokens_saved + excluded.tokens_saved,
  expires_at = CASE WHEN excluded.created_at >= r.created_at THEN excluded.expires_at ELSE r.expires_at END,
  created_at = greatest(r.created_at, excluded.created_at)`;

export class Uses {
  #counted = new Map<string, Counted>();
  #turn: Promise<unknown> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly dataSource: DataSource,
    private readonly logger: Logger,
  ) {
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS);
    this.#timer.unref();
  }

  add(use: UseOf, { cached, tokens, created_at: created, expires_at: expires }: Delivery): void {
    this.#merge({
      ...use,
      generated: cached ? 0 : 1,
      hits: cached ? 1 : 0,
      used: tokens.used,
      saved: tokens.saved,
      created,
      expires,
    });
  }

  /** How often the result was read, by readers of all processes: up to now here, up to their last statement elsewhere. */
  readsOf({ kind, userId, subject, engine }: UseOf): Promise<number> {
    return this.#inTurn(async () => {
      const row = await this.dataSource.getRepository(ResultUse).findOneBy({ kind, userId, subject, engine });
      const waiting = this.#counted.get(nameOf({ kind, userId, subject, engine }));
      return [row, waiting].reduce((sum, one) => sum + (one?.generated ?? 0) + (one?.hits ?? 0), 0);
    });
  }

  /** Never rejects: what could not be added waits for the next time. */
  flush(): Promise<void> {
    return this.#inTurn(async () => {
      const rows = [...this.#counted.values()];
      this.#counted = new Map();
      for (let at = 0; at < rows.length; at += AT_ONCE) {
        try {
          await this.#write(rows.slice(at, at + AT_ONCE));
        } catch (error) {
          this.logger.warn({ err: error, rows: rows.length - at }, 'uses could not be counted in the database');
          for (const row of rows.slice(at)) this.#merge(row);
          return;
        }
      }
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** One at a time: who reads between the two halves of a flush would miss what is on its way. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #write(rows: readonly Counted[]): Promise<void> {
    const column = <K extends keyof Counted>(name: K): Counted[K][] => rows.map((row) => row[name]);
    await this.dataSource.query(SQL, [
      column('kind'),
      column('userId'),
      column('subject'),
      column('engine'),
      column('generated'),
      column('hits'),
      column('used'),
      column('saved'),
      column('created'),
      column('expires'),
    ]);
  }

  #merge(row: Counted): void {
    const name = nameOf(row);
    const sums = this.#counted.get(name);
    if (sums === undefined) {
      if (this.#counted.size < MOST_WAITING) this.#counted.set(name, { ...row });
      else this.logger.warn('too many uses wait for the database: one is not counted');
      return;
    }
    for (const count of ['generated', 'hits', 'used', 'saved'] as const) sums[count] += row[count];
    if (row.created < sums.created) return;
    sums.created = row.created;
    sums.expires = row.expires;
  }
}

function nameOf({ kind, userId, subject, engine }: UseOf): string {
  return `${kind} ${userId} ${subject} ${engine}`;
}
