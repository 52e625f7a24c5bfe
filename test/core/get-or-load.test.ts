// A cached value from a function: what is stored, what is shared, and whose errors are whose.
import { describe, expect, it } from '@jest/globals';
import { Values } from '../../src/core/get-or-load.js';
import type { Loader } from '../../src/contract/loader.js';
import { structuredCodec, type ValueCodec } from '../../src/entry/value-codec.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { coreOver, lead, memoryOn, request, tick } from './set-up.js';

function setUp() {
  const clock = new FakeClock();
  const core = coreOver(memoryOn(clock), clock);
  const values = new Values(core.cache, core.scopes, clock, core.emit);
  const load = async <T>(loader: Loader<T>, codec: ValueCodec = structuredCodec, overrides = {}) =>
    (await values.getOrLoad(request(overrides), loader, codec)).value;
  return { ...core, load };
}

const never = () => {
  throw new Error('loaded');
};

describe('getOrLoad', () => {
  it('loads once and gives everybody an equal copy', async () => {
    const { load } = setUp();
    const value = { at: new Date(0), scores: new Map([['math', [1, 2n]]]), seen: new Set(['a']) };
    expect(await load(() => value)).toBe(value);
    const first = await load<typeof value>(never);
    expect(first).toEqual(value);
    first.scores.clear();
    expect(await load(never)).toEqual(value);
  });

  it('an error of the loader reaches its caller alone: who waited loads for himself', async () => {
    const { load, events } = setUp();
    let fail: (error: Error) => void = () => undefined;
    const failing = load(() => new Promise<string>((_resolve, reject) => (fail = reject)));
    const waiting = load(() => 'mine');
    await tick();
    fail(new Error('no database'));
    await expect(failing).rejects.toThrow('no database');
    expect(await waiting).toBe('mine');
    expect(events).toContainEqual(expect.objectContaining({ kind: 'declined', reason: 'error' }));
    expect(await load(never)).toBe('mine');
  });

  it('a loader that throws at once is no different', async () => {
    const { load } = setUp();
    await expect(load(never)).rejects.toThrow('loaded');
    expect(await load(() => 'next')).toBe('next');
  });

  it('a value that cannot be stored is returned all the same, and keeps nobody waiting', async () => {
    const { load, events } = setUp();
    class Grade {}
    const grade = new Grade();
    let give: () => void = () => undefined;
    const loading = load(() => new Promise<unknown>((resolve) => (give = () => resolve({ list: [grade] }))));
    const waiting = load(() => 'mine');
    await tick();
    give();
    expect(await loading).toEqual({ list: [grade] });
    expect(await waiting).toBe('mine');
    expect(events).toContainEqual(expect.objectContaining({ kind: 'advice', code: 'ERC_VALUE' }));
  });

  it('bytes that the codec cannot read are loaded anew and replaced', async () => {
    const { load, cache, events } = setUp();
    const stored = await lead(cache.read(request()));
    await stored.store({ body: Buffer.from('not a value'), status: 0, headers: [], etag: '' });
    expect(await load(() => 'fresh')).toBe('fresh');
    expect(events).toContainEqual(expect.objectContaining({ kind: 'layerFailed', operation: 'decode' }));
    expect(await load(never)).toBe('fresh');
  });

  it('tags found while loading, by the run or by code below it, invalidate the value', async () => {
    for (const find of ['run', 'below'] as const) {
      const { load, scopes, invalidations } = setUp();
      await load(async (run) => {
        await tick();
        if (find === 'run') run.addTags(['found:1']);
        else scopes.computation?.addTags(['found:1']);
        return 'old';
      });
      await invalidations.invalidate(['found:1'], 'commit');
      expect(await load(() => 'new')).toBe('new');
    }
  });

  it('without the cache the loader simply runs', async () => {
    const { load, cache } = setUp();
    cache.close();
    expect(await load((run) => (run.addTags(['x:1']), 'alone'))).toBe('alone');
    expect(await load(() => 'again')).toBe('again');
  });
});

describe('the codec of plain data', () => {
  class Decimal {}
  it.each([
    ['an instance', new Decimal()],
    ['an instance in a list', [new Decimal()]],
    ['an instance in a map', new Map([['a', new Decimal()]])],
    ['an instance as the key of a map', new Map([[new Decimal(), 1]])],
    ['an instance in a set', new Set([new Decimal()])],
    ['a function', { f: () => 1 }],
    ['a symbol', Symbol('s')],
  ])('refuses %s instead of losing its class', (_name, value) => {
    expect(() => structuredCodec.encode(value)).toThrow(/ERC_VALUE/);
  });

  it('takes cycles and bytes', () => {
    const cycle: { self?: unknown; bytes: Uint8Array } = { bytes: new Uint8Array([1, 2]) };
    cycle.self = cycle;
    const copy = structuredCodec.decode(structuredCodec.encode(cycle)) as typeof cycle;
    expect(copy.self).toBe(copy);
    expect([...copy.bytes]).toEqual([1, 2]);
  });
});
