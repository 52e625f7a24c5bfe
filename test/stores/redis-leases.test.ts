// Leases that writers wait for, and how the processes hear of each other: INDEX, BUMP and the channels on a real server.
import { afterAll, describe, expect, it } from '@jest/globals';
import { RedisNamespaces } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
afterAll(() => namespaces.close());

const LONG = 60_000;

async function twoProcesses() {
  const all = await namespaces.create();
  const { namespace, client, store } = all;
  const connection = await namespaces.connect();
  const reader = namespaces.store(connection, namespace);
  const leases = async () =>
    ((await client.hget(`{${namespace}}:t`, '!leases')) ?? '').split(' ').filter((_, index) => index % 2 === 0);
  return { ...all, writer: store, reader, leases };
}

describe('a registered lease', () => {
  it('is named to the next writer, and its own writes name it not', async () => {
    const { writer, reader, leases } = await twoProcesses();
    await reader.position(LONG);
    const [name] = await leases();
    expect((await writer.invalidate(['student:1'])).awaited).toEqual([name]);
    expect((await reader.invalidate(['student:1'])).awaited).toEqual([]);
  });

  it('is one per process, however often it asks, beside those of the others', async () => {
    const { writer, reader, leases } = await twoProcesses();
    await reader.position(LONG);
    await writer.position(LONG);
    await reader.position(LONG);
    expect(await leases()).toHaveLength(2);
    expect((await writer.invalidate(['student:1'])).awaited).toHaveLength(1);
  });

  it('is not registered by who only asks', async () => {
    const { writer, reader, leases } = await twoProcesses();
    await reader.position();
    await reader.lookup('k');
    expect(await leases()).toEqual(['']);
    expect((await writer.invalidate(['student:1'])).awaited).toEqual([]);
  });

  it('that has run out is waited for by nobody, and forgotten by the next', async () => {
    const { writer, reader, leases } = await twoProcesses();
    await reader.position(0);
    expect(await leases()).toHaveLength(1);
    expect((await writer.invalidate(['student:1'])).awaited).toEqual([]);
    await writer.position(LONG);
    expect(await leases()).toHaveLength(1);
    expect((await reader.invalidate(['student:1'])).awaited).toHaveLength(1);
  });

  it('is lost with the epoch, whose age tells writers how long leases of before may run', async () => {
    const { writer, reader, raw } = await twoProcesses();
    await reader.position(LONG);
    await raw.set('!born', (await raw.now()) - LONG);
    const { epochAgeMs = 0 } = await writer.invalidate(['student:1']);
    expect(epochAgeMs).toBeGreaterThanOrEqual(LONG);
    await raw.lose('t');
    const after = await writer.invalidate(['student:1']);
    expect(after.awaited).toEqual([]);
    expect(after.epochAgeMs).toBeLessThan(LONG);
  });
});

describe('an invalidation that is waited for', () => {
  it('names its writer behind the tags, which an older release takes for a tag that nobody carries', async () => {
    const { writer, reader, pushes, fill, look } = await twoProcesses();
    await fill('k', ['student:2']);
    await reader.position(LONG);
    const told = await pushes();
    await writer.invalidate(['student:1', 'class:2']);
    await writer.invalidate(['*']);
    // As the parser of a release that knows no barrier reads it: epoch, number, tags.
    const [first, second] = await told();
    expect(first?.tags).toEqual(['student:1', 'class:2', expect.stringMatching(/^!b:\S+$/)]);
    expect(second?.tags).toEqual(['*', expect.stringMatching(/^!b:\S+$/)]);
    expect(await look('k')).toBe('invalidated');
  });

  it('is taken and acknowledged by the reader, and his answer reaches the writer and nobody else', async () => {
    const { writer, reader, leases } = await twoProcesses();
    const acknowledged: [string, string, number][] = [];
    let heard: () => void = () => undefined;
    const answer = new Promise<void>((resolve) => {
      heard = resolve;
    });
    writer.listen({
      push: () => undefined,
      lost: () => undefined,
      acknowledged: (process, epoch, seq) => {
        acknowledged.push([process, epoch, seq]);
        heard();
      },
    });
    const pushed: (readonly string[])[] = [];
    const strangers: string[] = [];
    reader.listen({
      push: (epoch, seq, tags, awaitedBy) => {
        if (awaitedBy === undefined) return;
        pushed.push(tags);
        reader.acknowledge(awaitedBy, epoch, seq);
      },
      lost: () => undefined,
      acknowledged: (process) => strangers.push(process),
    });
    await reader.position(LONG);
    let last = await writer.invalidate(['student:1']);
    // Both subscriptions are in force once an answer has come.
    while (acknowledged.length === 0) {
      last = await writer.invalidate(['student:1']);
      await Promise.race([answer, writer.position()]);
    }
    const [name] = await leases();
    expect(acknowledged[0]?.slice(0, 2)).toEqual([name, last.epoch]);
    expect(acknowledged[0]?.[2]).toBeLessThanOrEqual(last.seq);
    expect(pushed[0]).toEqual(['student:1']);
    expect(strangers).toEqual([]);
  });
});

describe('a client with `stringNumbers`', () => {
  it('is understood: marks, watermark, leases and generation', async () => {
    const { store, raw, fill, look } = await namespaces.create({ client: { stringNumbers: true } });
    await fill('k');
    const { epoch, seq } = await store.position(LONG);
    expect(seq).toBe(1);
    expect(await store.mark(['student:1'], 'm', LONG)).toEqual({ epoch, seq: 2 });
    expect(await look('k')).toBe('flux');
    const invalidated = await store.invalidate(['student:1'], { mark: 'm' });
    expect(invalidated).toEqual({ epoch, seq: 3, awaited: [], epochAgeMs: expect.any(Number) });
    expect((await store.history.observe()).ageMs).toBeUndefined();
    const at = (await raw.now()) - 5000;
    expect(await store.history.keepAlive(invalidated, at, 2000)).toBe(true);
    expect(await look('k')).toBe('watermark');
    const adopted = await store.history.adopt(epoch, 'adopted', 12);
    expect(adopted).toEqual({ epoch: 'adopted', seq: 4 });
    expect(await store.history.observe()).toMatchObject({ generation: 12, now: expect.any(Number) });
    await store.history.prune({ ...(await store.position()), seq: 4 });
    expect(await fill('k')).toBe('stored');
  });
});
