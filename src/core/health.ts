// What is distrusted, pending or failing right now, in one look.
import type { OutboxHealth } from '../contract/outbox.js';
import type { MaybePromise, Store } from '../contract/store.js';
import type { ViewHealth } from '../contract/views.js';
import type { BreakerState } from './breaker.js';

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

export interface HealthParts {
  readonly store: Pick<Store, 'position'>;
  /** Asked after the store. */
  readonly breaker: () => BreakerState;
  /** The same of the database that keeps persisted reports; undefined: there is none. */
  readonly database?: BreakerState | undefined;
  readonly pending: number;
  readonly late: number;
  readonly outbox: OutboxHealth | undefined;
  readonly views: readonly ViewHealth[];
  readonly closed: boolean;
}

const DOWN: readonly HealthReason[] = ['store-unreachable', 'breaker-open', 'watermark-dead', 'fenced', 'closed'];

/** Asks the store; never rejects. */
export async function lookAtHealth(parts: HealthParts): Promise<Health> {
  const { store, breaker, database, pending, late, outbox, views, closed } = parts;
  const reasons: HealthReason[] = [];
  if (closed) reasons.push('closed');
  else {
    const live = await isLive(() => store.position());
    if (live === undefined) reasons.push('store-unreachable');
    if (breaker() !== 'closed') reasons.push('breaker-open');
    if (live === false) reasons.push('watermark-dead');
  }
  if (database !== undefined && database !== 'closed') reasons.push('database-failing');
  if (outbox?.adoption === 'fenced') reasons.push('fenced');
  if (late > 0) reasons.push('invalidations-late');
  if (outbox !== undefined && outbox.failures > 0) reasons.push('sweeps-failing');
  if (outbox !== undefined && outbox.poison > 0) reasons.push('rows-set-aside');
  if (views.some(({ failures }) => failures > 0)) reasons.push('views-failing');
  const down = reasons.some((reason) => DOWN.includes(reason));
  const state = down ? 'down' : reasons.length > 0 ? 'degraded' : 'ready';
  return { state, reasons, pending, late, ...(outbox && { outbox }), ...(views.length > 0 && { views }) };
}

/** Undefined: it cannot be asked. */
async function isLive(ask: () => MaybePromise<{ readonly live?: boolean }>): Promise<boolean | undefined> {
  try {
    return (await ask()).live !== false;
  } catch {
    return undefined;
  }
}
