// A connection kept for the cache itself: in the queue for the pool it would wait behind the readers that wait for it.
import { EventEmitter, once } from 'node:events';
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
  /** When the last statement has its answer, or has waited long enough for one. Never rejects. */
  #answered: Promise<unknown> = Promise.resolve();
  /** When it is over. Never rejects. */
  #ended: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Runners that have been given back, or are about to be. */
  readonly #given = new WeakSet<OwnRunner>();

  constructor(private readonly parts: OwnConnectionParts) {}

  readonly ask: Ask = async (sql, parameters) => {
    const runner = this.#open();
    try {
      return await this.#inTime(runner, sql, parameters);
    } catch (error) {
      this.#cut(runner);
      throw error;
    }
  };

  /** Several statements on one connection; where one fails it is cut, because a transaction may be left open on it. */
  async session<T>(task: (ask: Ask) => Promise<T>): Promise<T> {
    const runner = this.#open();
    try {
      return await task((sql, parameters) => this.#inTime(runner, sql, parameters));
    } catch (error) {
      this.#cut(runner);
      throw error;
    }
  }

  /** Gives it back to the pool, so that the pool can end. The next statement takes another. */
  async release(): Promise<void> {
    const runner = this.#runner;
    this.#runner = undefined;
    // While it is still being connected there is nothing to give back, and afterwards nobody would do it.
    await this.#answered;
    if (runner === undefined || this.#given.has(runner)) return;
    this.#given.add(runner);
    await runner.release().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.release();
  }

  #open(): OwnRunner {
    if (this.#closed) throw new Error('The connection of the cache is closed.');
    return (this.#runner ??= this.parts.createRunner());
  }

  /**
   * Given back as it is, the next one to take it from the pool would wait behind the statement that hangs, or have a connection that is
   * just being closed from the other side. Of several statements that fail on it the first one sees to it: whom the pool has given
   * it to by then must not lose it.
   */
  #cut(runner: OwnRunner): void {
    if (this.#runner === runner) this.#runner = undefined;
    if (this.#given.has(runner)) return;
    this.#given.add(runner);
    const gone = isConnected(runner) ? cut(runner) : this.#ended;
    void gone.then(() => runner.release().catch(() => undefined));
  }

  #inTime(runner: OwnRunner, sql: string, parameters?: unknown[]): Promise<unknown> {
    const { clock, patienceMs } = this.parts;
    const work = runner.query(sql, parameters);
    this.#ended = work.catch(() => undefined);
    const answered = new Promise<unknown>((resolve, reject) => {
      const timer = clock.after(patienceMs, () => {
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
    this.#answered = answered.catch(() => undefined);
    return answered;
  }
}

/**
 * Breaks it. Resolves once it may be given back. The pool of node-postgres learns of the end from the socket, a moment later: in that
 * moment it would hand the dead connection to a reader who waits for one.
 */
export async function cut(runner: OwnRunner): Promise<void> {
  const client = member(runner, 'databaseConnection');
  const socket = member(member(client, 'connection'), 'stream');
  if (member(socket, 'closed') === true) return;
  if (socket instanceof EventEmitter) {
    const closed = once(socket, 'close').catch(() => undefined);
    destroy(socket);
    await closed;
  } else {
    // mysql2 takes it out of its pool at once.
    destroy(client);
  }
}

/** Otherwise it waits for the pool, and is to give back what it gets. */
function isConnected(runner: OwnRunner): boolean {
  return typeof member(runner, 'databaseConnection') === 'object';
}

function destroy(connection: unknown): void {
  const method = member(connection, 'destroy');
  if (typeof method === 'function') Reflect.apply(method, connection, []);
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
