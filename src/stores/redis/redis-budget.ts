// The bytes that entries may take in Redis, for all and for each owner: what was stored is charged, behind its reader's back.
import type { Entry } from '../../contract/entry.js';
import { errorText } from '../../contract/errors.js';
import type { CacheEvent, EventSink } from '../../contract/events.js';
import { CHARGE } from './lua/charge.js';
import type { RedisKeys } from './redis-keys.js';
import { script, type Scripts } from './scripts.js';

export interface RedisLimits {
  /** Bytes of all entries of the namespace, with everything that Redis holds for them. */
  readonly maxBytes: number;
  /** Bytes of one owner's entries: a heavy user pushes out his own reports first. */
  readonly maxBytesPerOwner: number;
}

const SCRIPT = script(CHARGE);

/**
 * A charge is sent when an entry has been stored, so what is held can pass a budget by the entries whose charges are on
 * their way. One that fails leaves its entry uncounted until it is stored again or ends: nobody waits for a charge,
 * and nothing that is served depends on it.
 */
export class RedisBudget {
  #refused = false;

  constructor(
    private readonly scripts: Scripts,
    private readonly keys: RedisKeys,
    private readonly limits: RedisLimits,
    private readonly emit: EventSink,
  ) {}

  /** Counts the entry under `key`, if it is still there, and unlinks others (or it) where a budget is passed. */
  charge(key: string, { owner, computeMs }: Entry): void {
    const { budget, account, entry } = this.keys;
    const { maxBytes, maxBytesPerOwner } = this.limits;
    this.scripts
      .runAlone(
        SCRIPT,
        [budget, account(owner), entry(key)],
        [maxBytes, maxBytesPerOwner, Math.max(0, Math.round(computeMs))],
      )
      .catch((error: unknown) => this.#failed(errorText(error)));
  }

  #failed(error: string): void {
    if (!FORBIDDEN.test(error)) return this.emit({ kind: 'layerFailed', layer: 'redis', operation: 'charge', error });
    if (!this.#refused) this.emit(REFUSED);
    this.#refused = true;
  }
}

/** As Redis 7.0 says it inside a script, as later ones do, and outside of scripts. */
const FORBIDDEN = /user executing the script|ACL failure|NOPERM/;

const REFUSED: CacheEvent = {
  kind: 'advice',
  code: 'redis-budget',
  message:
    'The Redis user may not run what the budgets need, so only the time to live and maxmemory bound what is held there. The README lists the commands, under Limits.',
};
