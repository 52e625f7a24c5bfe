// Wakes the sweeper when a transaction with an outbox row has been committed: LISTEN on a connection of its own.
import type { Clock, TimerHandle } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import { wakeChannel } from './sql-outbox.js';

/** What is used of a TypeORM query runner of PostgreSQL, and of the pg client behind it. */
export interface ListenRunner {
  connect(): Promise<unknown>;
  query(sql: string): Promise<unknown>;
  release(): Promise<void>;
}

interface PgClient {
  on(event: 'notification' | 'error' | 'end', listener: () => void): unknown;
  removeListener(event: 'notification' | 'error' | 'end', listener: () => void): unknown;
}

export interface NotifyParts {
  /** `DataSource.createQueryRunner`, for the primary. */
  readonly createRunner: () => ListenRunner;
  readonly namespace: string;
  readonly wake: () => void;
  readonly clock: Clock;
  readonly emit: EventSink;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/**
 * Shortens the wait for rows that no writer takes out by himself from the sweeper's period to a few milliseconds. Off by
 * default, and for few writes a second: NOTIFY takes a lock of the whole database through COMMIT, so writers that use it
 * commit one after the other, and every process sweeps for every commit. Behind a pooler that lends connections by
 * transaction LISTEN hears nothing, and nothing says so. It never stands in for the period: whatever is missed, the
 * sweeper finds by itself.
 */
export class NotifyListener {
  #release: (() => Promise<void>) | undefined;
  #timer: TimerHandle | undefined;
  #retryMs = FIRST_RETRY_MS;
  #closed = false;

  constructor(private readonly parts: NotifyParts) {}

  /** Resolves when it listens, or when the first attempt has failed; then it goes on trying. */
  async start(): Promise<void> {
    const { createRunner, namespace, wake } = this.parts;
    let runner: ListenRunner | undefined;
    try {
      runner = createRunner();
      const client = asPgClient(await runner.connect());
      this.#release = this.#attend(runner, client);
      await runner.query(`LISTEN ${wakeChannel(namespace)}`);
      this.#retryMs = FIRST_RETRY_MS;
      if (this.#closed) return await this.#release?.();
      // What was committed while nobody listened.
      wake();
    } catch (error) {
      await (this.#release ?? (() => runner?.release()))();
      this.#again(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    // A connection that is still being made is given back as soon as it is there.
    await this.#release?.();
  }

  /** @returns how to give the connection back as it was. */
  #attend(runner: ListenRunner, client: PgClient): () => Promise<void> {
    const { namespace, wake } = this.parts;
    const heard = (): void => wake();
    const lost = (): void => {
      void release();
      this.#again(new Error('the connection was lost'));
    };
    const release = async (): Promise<void> => {
      this.#release = undefined;
      client.removeListener('notification', heard);
      client.removeListener('error', lost);
      client.removeListener('end', lost);
      // It goes back to the pool, where somebody else would go on hearing for nothing. A dead one refuses both.
      await runner.query(`UNLISTEN ${wakeChannel(namespace)}`).catch(() => undefined);
      await runner.release().catch(() => undefined);
    };
    client.on('notification', heard);
    client.on('error', lost);
    client.on('end', lost);
    return release;
  }

  #again(error: unknown): void {
    if (this.#closed) return;
    const { clock, emit } = this.parts;
    emit({ kind: 'outboxFailed', operation: 'listen', error: errorText(error) });
    this.#timer = clock.after(this.#retryMs, () => void this.start());
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
  }
}

function asPgClient(client: unknown): PgClient {
  if (typeof (client as Partial<PgClient> | undefined)?.removeListener !== 'function')
    throw new Error('This driver gives no PostgreSQL client to listen with.');
  return client as PgClient;
}
