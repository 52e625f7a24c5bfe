// Asks the truth about invalidations whether anything that a view is made of has changed since a position.
import type { Clock } from '../contract/clock.js';
import type { Position } from '../contract/entry.js';
import type { PutOutcome, Store } from '../contract/store.js';
import { withWholeKinds } from '../entry/tags.js';

/** Before every history: whatever is compared with it has changed since. */
export const NOWHERE: Position = { epoch: '', seq: 0 };

/** How long the offered entry is kept, ms: nobody looks it up. */
const KEPT_MS = 1000;

const VERDICTS: Readonly<Record<PutOutcome, 'none' | 'some' | 'unknown'>> = {
  stored: 'none',
  stale: 'some',
  epoch: 'some',
  // A write is under way, and its end will be heard of.
  flux: 'unknown',
  declined: 'unknown',
  unavailable: 'unknown',
};

/**
 * A view is like an entry: made of what was there at a position, and valid while none of its tags has a higher number. So an
 * empty entry is offered in its place, and whether the store takes it is the answer, from the one step that decides it for
 * reports, too.
 */
export class Changes {
  constructor(
    private readonly store: Pick<Store, 'put' | 'position'>,
    private readonly clock: Clock,
  ) {}

  /** Never rejects. */
  async since(name: string, tags: Iterable<string>, { epoch, seq }: Position): Promise<'none' | 'some' | 'unknown'> {
    const now = this.clock.now();
    const entry = {
      body: Buffer.alloc(0),
      status: 0,
      headers: [],
      etag: '',
      type: 'view',
      owner: '*',
      createdAt: now,
      staleAt: now + KEPT_MS,
      deleteAt: now + KEPT_MS,
      computeMs: 0,
      tags: withWholeKinds(tags),
      epoch,
      asOf: seq,
    };
    try {
      return VERDICTS[await this.store.put(`view:${name}`, entry)];
    } catch {
      return 'unknown';
    }
  }

  /** For what is read from here on. Where nobody knows: {@link NOWHERE}. */
  async position(): Promise<Position> {
    try {
      return await this.store.position();
    } catch {
      return NOWHERE;
    }
  }
}
