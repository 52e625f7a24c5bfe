// Memories in front of Redis that believe too much.
import { GuardedStore, MemoryStore, TagTable, TieredStore } from '../library.mjs';

/** @typedef {import('../variant.mjs').Broken} Broken */

/** Relies on pushes alone. */
class NeverAsks extends TieredStore {
  /** @param {ConstructorParameters<typeof TieredStore>} args */
  constructor(...[memory, shared, options, clock, emit]) {
    super(memory, shared, { ...options, leaseMs: 1e9 }, clock, emit);
  }

  /** @override @param {string} key */
  lookup(key) {
    return super.lookup(key, 'lease');
  }
}

class GapIgnored extends TagTable {
  /** @override @type {InstanceType<typeof TagTable>['apply']} */
  apply(epoch, seq, tags) {
    while (epoch === this.position.epoch && this.position.seq + 1 < seq) super.apply(epoch, this.position.seq + 1, []);
    return super.apply(epoch, seq, tags);
  }
}

/** Believes that what Redis has said of an entry holds as of now, and not as of when it was said. */
class ProvedTooLate extends MemoryStore {
  /** @override @type {InstanceType<typeof MemoryStore>['admit']} */
  admit(key, entry) {
    return super.admit(key, entry, this.table.position);
  }
}

/** A machine that is paused does not see its monotonic clock move. */
class OneClock extends TieredStore {
  /** @param {ConstructorParameters<typeof TieredStore>} args */
  constructor(...[memory, shared, options, clock, emit]) {
    super(memory, shared, options, { ...clock, now: () => clock.monotonic() }, emit);
  }
}

/** Redis refuses without a watermark; what memory asks is not looked at. */
class MemoryWithoutWatermark extends GuardedStore {
  /** @override @type {InstanceType<typeof GuardedStore>['position']} */
  async position(leaseMs) {
    const { epoch, seq } = await super.position(leaseMs);
    return { epoch, seq };
  }
}

/** @type {readonly Broken[]} */
export const BROKEN_MEMORIES = [
  { name: 'memory that only listens', level: 'strict', parts: { TieredStore: NeverAsks }, only: ['lose pushes'] },
  { name: 'gap in the numbers ignored', level: 'strict', parts: { TagTable: GapIgnored }, only: ['lose one push'] },
  {
    name: 'proof of an entry taken for later than it is',
    level: 'strict',
    parts: { MemoryStore: ProvedTooLate },
    only: ['lose one push'],
  },
  { name: 'lease without wall clock', level: 'lease', parts: { TieredStore: OneClock }, only: ['pause a process'] },
  {
    name: 'memory without watermark',
    level: 'strict+durable',
    parts: { GuardedStore: MemoryWithoutWatermark },
    only: ['write behind the back', 'stop the sweepers', 'crash a process'],
  },
];
