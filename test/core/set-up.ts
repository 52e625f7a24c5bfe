// A whole core for tests: cache, invalidations and scopes over any store, with the clock and the events in the test's hands.
import type { CacheEvent } from '../../src/contract/events.js';
import type { Draft, Load, ReadRequest, Turn } from '../../src/contract/reading.js';
import type { Store } from '../../src/contract/store.js';
import { Cache } from '../../src/core/cache.js';
import { Invalidations } from '../../src/core/invalidations.js';
import { Scopes } from '../../src/core/scope.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { AsyncStore } from '../fakes/async-store.js';
import type { FakeClock } from '../fakes/fake-clock.js';
import { plainWriters } from '../support/plain-writers.js';

const LIMITS = { maxBytes: 8 << 20, maxBytesPerOwner: 4 << 20, maxTtlMs: Infinity };

/** The same tests over a store that answers at once and over one that answers later. */
export const BOTH: readonly (readonly [string, (store: Store) => Store])[] = [
  ['a synchronous store', (store) => store],
  ['an asynchronous store', (store) => new AsyncStore(store)],
];

export function memoryOn(clock: FakeClock, epoch = 'epoch-1'): MemoryStore {
  return new MemoryStore(new TagTable(epoch, 1000), LIMITS, clock);
}

export function coreOver(
  store: Store,
  clock: FakeClock,
  { waitMs = 30_000, maxTags = 256, chance = (): number => 0 } = {},
) {
  const events: CacheEvent[] = [];
  const emit = (event: CacheEvent) => void events.push(event);
  const invalidations = new Invalidations(store, undefined, plainWriters(), clock, emit);
  const scopes = new Scopes();
  const cache = new Cache(store, invalidations, scopes, { waitMs, maxTags, chance }, clock, emit);
  return { clock, store, events, emit, invalidations, scopes, cache };
}

export function request(overrides: Partial<ReadRequest> = {}): ReadRequest {
  return {
    key: 'k',
    type: 'default',
    owner: 'u1',
    tags: ['student:1'],
    ttlMs: 60_000,
    consistency: 'strict',
    ...overrides,
  };
}

export function draft(body: string, overrides: Partial<Draft> = {}): Draft {
  return { body: Buffer.from(body), status: 200, headers: [], etag: '', ...overrides };
}

export async function lead(turn: Turn | Promise<Turn>): Promise<Load> {
  const known = await turn;
  if (known.next !== 'lead') throw new Error(`expected to lead, got ${known.next}`);
  return known.load;
}

/** The body that was served, or what was told instead. */
export async function served(turn: Turn | Promise<Turn>): Promise<string> {
  const known = await turn;
  return known.next === 'serve' ? known.entry.body.toString() : known.next;
}

/** Lets everything run that needs no clock. */
export const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
