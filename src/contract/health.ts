// How a cache stands, as operators see it.
import type { OutboxHealth } from './outbox.js';
import type { ViewHealth } from './views.js';

export type HealthReason =
  | 'store-unreachable' // Redis does not answer: reports are computed
  | 'breaker-open' // Redis has failed so often that readers do not ask it for a while: reports are computed
  | 'database-failing' // the database that keeps persisted reports has failed so often that it is not asked for a while
  | 'watermark-dead' // no sweeper vouches for what is cached: reports are computed
  | 'fenced' // the database follows another Redis than this process
  | 'invalidations-late' // Redis has refused invalidations, which are tried again
  | 'sweeps-failing' // the outbox cannot be read, or Redis not be told
  | 'rows-set-aside' // rows of the outbox that nobody could read
  | 'views-failing' // a materialised view cannot be refreshed: its reports are as of longer ago
  | 'closed';

export interface Health {
  /** `down`: nothing is served from the cache, everything is computed. `degraded`: it serves, and something is not well. */
  readonly state: 'ready' | 'degraded' | 'down';
  readonly reasons: readonly HealthReason[];
  /** Tags that are being invalidated at this moment. */
  readonly pending: number;
  /** Tags that the store has refused, and that are tried again. */
  readonly late: number;
  /** Where invalidations are kept in the database: how its sweeper stands. */
  readonly outbox?: OutboxHealth;
  /** Where materialised views are kept: how each stands. */
  readonly views?: readonly ViewHealth[];
}
