// The sweeper's own connection: in the queue for the pool it would wait behind the readers that wait for its watermark.
import type { Clock } from '../contract/clock.js';
import type { Ask } from '../contract/outbox.js';

export interface OwnRunner {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
  release(): Promise<void>;
}

export interface OwnConnectionParts {
  /** A runner on the primary. */
  readonly createRunner: () => OwnRunner;
  /** A statement without an answer for so long means that the connection is dead, ms. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

/**
 * Takes one connection out of the pool with the first statement and keeps it. A statement that fails or is not answered
 * costs the connection, and the next one takes another.
 */
export class OwnConnection {
  #runner: OwnRunner | undefined;
  #closed = false;

  constructor(private readonly parts: OwnConnectionParts) {}

  readonly ask: Ask = async (sql, parameters) => {
    if (this.#closed) throw new Error('The connection of the sweeper is closed.');
    const runner = (this.#runner ??= this.parts.createRunner());
    try {
      return await this.#inTime(runner, runner.query(sql, parameters));
    } catch (error) {
      await this.#drop(runner);
      throw error;
    }
  };

  /** Gives it back to the pool, so that the pool can end. The next statement takes another. */
  async release(): Promise<void> {
    const runner = this.#runner;
    this.#runner = undefined;
    await runner?.release().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.release();
  }

  async #drop(runner: OwnRunner): Promise<void> {
    if (this.#runner === runner) await this.release();
  }

  #inTime<T>(runner: OwnRunner, work: Promise<T>): Promise<T> {
    const { clock, patienceMs } = this.parts;
    return new Promise<T>((resolve, reject) => {
      const timer = clock.after(patienceMs, () => {
        cut(runner);
        reject(new Error(`No answer from the database within ${patienceMs} ms.`));
      });
      work.then(
        (value) => {
          timer.cancel();
          resolve(value);
        },
        (error: unknown) => {
          timer.cancel();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }
}

/** Given back as it is, the next one to take it from the pool would wait behind the statement that hangs. */
function cut(runner: OwnRunner): void {
  const client = member(runner, 'databaseConnection');
  // node-postgres keeps its socket here; mysql2 has a method for it.
  const stream = member(member(client, 'connection'), 'stream') ?? client;
  const destroy = member(stream, 'destroy');
  if (typeof destroy === 'function') Reflect.apply(destroy, stream, []);
}

function member(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}

/** How many connections a DataSource may have; undefined where its driver does not say. */
export function poolSizeOf(driver: object): number | undefined {
  const postgres = member(member(member(driver, 'master'), 'options'), 'max');
  const mysql = member(member(member(driver, 'pool'), 'config'), 'connectionLimit');
  return [postgres, mysql].find((size): size is number => typeof size === 'number');
}
