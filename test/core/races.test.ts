// Orders of events that only two tiers can have: answers held, pushes late, replies of one batch in any order.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import type { Load, ReadRequest, Turn } from '../../src/contract/reading.js';
import { Cache } from '../../src/core/cache.js';
import { Invalidations } from '../../src/core/invalidations.js';
import { Scopes } from '../../src/core/scope.js';
import { TieredStore } from '../../src/core/tiered-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';

const LIMITS = { maxBytes: 8 << 20, maxBytesPerOwner: 4 << 20, maxTtlMs: 60_000 };

const request = (overrides: Partial<ReadRequest> = {}): ReadRequest => ({
  key: 'k',
  type: 'default',
  owner: 'u1',
  tags: ['student:1'],
  ttlMs: 60_000,
  consistency: 'strict',
  ...overrides,
});
const draft = (body: string) => ({ body: Buffer.from(body), status: 200, headers: [], etag: '' });
const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

async function lead(turn: Turn | Promise<Turn>): Promise<Load> {
  const known = await turn;
  if (known.next !== 'lead') throw new Error(`expected to lead, got ${known.next}`);
  return known.load;
}

let clock: FakeClock;
let hub: SharedHub;
let events: CacheEvent[];
beforeEach(() => {
  clock = new FakeClock();
  hub = new SharedHub(clock);
  events = [];
});

function processOn(shared: SharedHub) {
  const emit = (event: CacheEvent) => void events.push(event);
  const client = shared.client();
  const memory = new MemoryStore(new TagTable('', 1000), LIMITS, clock);
  const store = new TieredStore(memory, client, { leaseMs: 250, overdueMs: 100 }, clock, emit);
  client.listen(store);
  const invalidations = new Invalidations(store, { holdMs: 2000, maxTagsPerKind: 64, maxPending: 1000 }, clock, emit);
  const scopes = new Scopes();
  const cache = new Cache(store, invalidations, scopes, { waitMs: 30_000, maxTags: 256 }, clock, emit);
  return { client, memory, store, invalidations, scopes, cache };
}

describe('who waits for a computation', () => {
  it('RACE the answer of a put is read late: who arrived after a write that came in between does not get the old value', async () => {
    const reader = processOn(hub);
    const writer = processOn(hub);
    const load = await lead(reader.cache.read(request()));
    const gate = reader.client.holdPutAnswers();
    const stored = load.store(draft('old'));
    await gate.answered;
    await writer.invalidations.invalidate(['student:1'], 'commit');
    const late = reader.cache.read(request());
    await tick();
    gate.open();
    expect(await stored).toBe('stored');
    (await lead(late)).decline('error');
  });
});
