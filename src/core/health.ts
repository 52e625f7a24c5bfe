// What is distrusted, pending or failing right now, in one look.
import type { Health, HealthReason } from '../contract/health.js';
import type { OutboxHealth } from '../contract/outbox.js';
import type { MaybePromise, Store } from '../contract/store.js';
import type { ViewHealth } from '../contract/views.js';
import type { BreakerState } from './breaker.js';

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
