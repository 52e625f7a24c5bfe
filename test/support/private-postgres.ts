// A PostgreSQL for one test, to stop, crash and restart as it likes.
import { startPostgres } from './postgres-service.mjs';

export interface PrivatePostgres {
  /** Superuser, database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** Fast shutdown; the data is gone. */
  stop(): Promise<void>;
  /** SIGKILL to the postmaster; `restart()` recovers the data. */
  kill(): Promise<void>;
  /** Fast shutdown if it runs, then a start with the same data on the same port. */
  restart(): Promise<void>;
}

/**
 * Starts a server with its own data folder on a free port (1 to 2 s). It ends with the test process at the latest.
 * @param settings more of its settings, e.g. `['log_statement=all']`.
 */
export function startPrivatePostgres(settings: readonly string[] = []): Promise<PrivatePostgres> {
  return startPostgres({ args: settings });
}
