// Memory follows Redis by counting: every number must be told exactly once, whatever scripts run in whatever order.
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Position } from '../../src/contract/entry.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { RedisNamespaces, type Push } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
const { clock } = namespaces;
afterAll(() => namespaces.close());

/** Numbers below `n` that are the same in every run (xorshift32). */
function diceOf(seed: number) {
  let state = seed;
  return (n: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

/** One of everything that scripts do, and of what happens to their data. */
async function play(steps: number, seed: number) {
  const dice = diceOf(seed);
  const { store, raw, pushes } = await namespaces.create({ maxTags: 40 });
  const first = await store.position();
  const told = await pushes();
  const tag = () =>
    ['*', `student:${dice(20)}`, `class:${dice(10)}`, 'student:*', 'key:k1'][dice(20) === 0 ? 0 : 1 + dice(4)]!;
  const tags = () => [...new Set(Array.from({ length: 1 + dice(3) }, tag))];
  let marks = 0;
  const aMark = () => `m${dice(marks + 1)}`;
  let seen: Position = first;
  const actions: Record<string, () => Promise<unknown>> = {
    lookUp: async () => Promise.all(['k1', 'k2', 'k3'].map((key) => store.lookup(key))),
    put: async () => store.put(`k${1 + dice(3)}`, makeEntry(seen, clock.now(), { tags: [`student:${dice(20)}`] })),
    bump: async () => (seen = await store.invalidate(tags(), dice(2) === 0 ? { mark: aMark() } : {})),
    mark: async () => (seen = await store.mark(tags(), `m${(marks += 1)}`, dice(2) * 60_000)),
    unmark: () => store.unmark(aMark()),
    ask: async () => (seen = await store.position()),
    askWithLease: () => store.position(1000),
    observe: () => store.history.observe(),
    keepAlive: async () => store.history.keepAlive(seen, await raw.now(), 2000),
    adopt: () =>
      dice(5) === 0 ? store.history.adopt(seen.epoch, `adopted-${dice(1e9)}`, 7) : store.history.adopt('x', 'y', 7),
    prune: () => store.history.prune({ epoch: seen.epoch, seq: dice(seen.seq + 1) }),
    loseTable: async () => dice(8) === 0 && raw.lose('t'),
    loseMarks: async () => dice(4) === 0 && raw.lose('x'),
    otherHistory: async () => dice(8) === 0 && raw.set('!inc', '0'.repeat(40)),
  };
  const names = Object.keys(actions);
  const played: string[] = [];
  for (let step = 0; step < steps; step += 1) {
    const name = names[dice(names.length)]!;
    played.push(name);
    await actions[name]!();
  }
  const last = await store.position();
  return { first, last, raw, heard: await told(), played };
}

/** What is wrong with the numbers, in words. */
function faults(first: Position, last: Position, heard: readonly Push[]): string[] {
  const found: string[] = [];
  let at = { epoch: first.epoch, seq: first.seq };
  for (const push of heard) {
    const begins = push.epoch !== at.epoch;
    if (begins && push.tags.length > 0) found.push(`epoch ${push.epoch} begins with an invalidation`);
    if (!begins && push.seq !== at.seq + 1) found.push(`${push.seq} after ${at.seq}`);
    if (!begins && push.tags.length === 0) found.push(`${push.seq} names nothing`);
    at = push;
  }
  if (at.epoch !== last.epoch || at.seq !== last.seq)
    found.push(`told ${at.epoch} ${at.seq}, true ${last.epoch} ${last.seq}`);
  return found;
}

describe('the numbers that are pushed', () => {
  it.each([[1], [2], [3], [4], [5], [6]])(
    'are told once each, in order, and end where the table stands (seed %i)',
    async (seed) => {
      const { first, last, raw, heard, played } = await play(400, seed);
      expect(faults(first, last, heard)).toEqual([]);
      expect(await raw.seq()).toBe(last.seq);
      // Not blind: much of everything has happened.
      expect(heard.length).toBeGreaterThan(50);
      expect(new Set(heard.map(({ epoch }) => epoch)).size).toBeGreaterThan(2);
      expect(heard.some(({ tags }) => tags.includes('*'))).toBe(true);
      expect(new Set(played).size).toBe(14);
    },
  );
});
