// Processes over one hub: each a tiered store with memory of its own, a connection, and what it has told.
import type { Position } from '../../src/contract/entry.js';
import type { CacheEvent } from '../../src/contract/events.js';
import type { Consistency } from '../../src/contract/store.js';
import { TieredStore } from '../../src/core/tiered-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';

const LIMITS = { maxBytes: 8 << 20, maxBytesPerOwner: 4 << 20, maxTtlMs: 60_000 };

export const LEASE_MS = 250;

export class Process {
  readonly events: CacheEvent[] = [];
  readonly memory: MemoryStore;
  readonly store: TieredStore;
  readonly client;

  constructor(
    hub: SharedHub,
    readonly clock: FakeClock,
  ) {
    this.memory = new MemoryStore(new TagTable('', 1000), LIMITS, clock);
    this.client = hub.client();
    const options = { leaseMs: LEASE_MS, overdueMs: 100 };
    this.store = new TieredStore(this.memory, this.client, options, clock, (event) => this.events.push(event));
    this.store.follow(this.client);
  }

  async fill(body = 'old'): Promise<void> {
    const entry = makeEntry(await this.store.position(), this.clock.now(), { body: Buffer.from(body) });
    if ((await this.store.put('k', entry)) !== 'stored') throw new Error('not stored');
  }

  /** Layer and body, or what was found instead. */
  async read(consistency: Consistency, atLeast?: Position): Promise<string> {
    const found = await this.store.lookup('k', consistency, atLeast);
    return found.outcome === 'hit' ? `${found.layer}:${found.entry.body.toString()}` : found.outcome;
  }

  /** Has the entry in memory and holds a lease. */
  async lease(consistency: 'lease' | 'barrier'): Promise<void> {
    await this.read('strict');
    // Whatever a look-up has proved is over.
    this.store.lost();
    if ((await this.read(consistency)) !== 'memory:old') throw new Error('no lease');
  }

  get asked(): number {
    return this.client.calls.position;
  }
}

/** A promise whose end can be looked at. */
export function watch<T>(promise: Promise<T>) {
  const watched = { done: false, promise };
  void promise.then(() => (watched.done = true));
  return watched;
}

export async function start(count: number) {
  const clock = new FakeClock();
  const hub = new SharedHub(clock);
  // Older than any lease: nobody has one from an epoch before.
  clock.advance(10_000);
  const processes = Array.from({ length: count }, () => new Process(hub, clock));
  return { clock, hub, processes: processes as [Process, Process, Process] };
}
