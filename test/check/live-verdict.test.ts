// What a run of the live check must show, and the proxy that its faults are made with.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { figuresOf } from '../../check/live/figures.mjs';
import { faultNamed, FAULTS, type Fault } from '../../check/live/faults/table.mjs';
import { LAMBDA_MS, LEASE_MS, levelNamed } from '../../check/live/levels.mjs';
import { startProxy } from '../../check/live/proxy.mjs';
import { Tally } from '../../check/live/tally.mjs';
import { failuresOf } from '../../check/live/verdict.mjs';

function failures(
  level: string,
  fault: string,
  change: (tally: Tally) => void,
  answered = 0,
  events: Record<string, number> = {},
): string[] {
  const tally = new Tally();
  tally.reads = 10_000;
  tally.came(0);
  tally.injected = 1;
  change(tally);
  const named: { level: ReturnType<typeof levelNamed>; fault: Fault } = {
    level: levelNamed(level),
    fault: faultNamed(fault),
  };
  const inversions = { answered, others: 5 };
  return failuresOf(
    named.level,
    named.fault,
    figuresOf({ ...named, tally, inversions, seconds: 1, counts: [{ counts: events }] }),
  );
}

const stale =
  (origin: 'answered' | 'found' | 'foreign', ageMs: number) =>
  (tally: Tally): void =>
    tally.foundStale({ row: 0, shown: 0, known: 1, origin, ageMs, ageWhenSentMs: ageMs });

describe('a run', () => {
  it.each<[string, string, (tally: Tally) => void]>([
    ['strict', 'none', () => undefined],
    ['lease', 'push-black-hole', stale('answered', LEASE_MS)],
    ['strict', 'kill', stale('found', LAMBDA_MS)],
    ['strict', 'none', stale('foreign', LAMBDA_MS)],
    ['strict-plain', 'kill', stale('found', 60_000)],
    ['strict', 'split', stale('answered', LAMBDA_MS)],
    ['strict', 'cut-from-database', (tally) => (tally.readErrors = 5)],
    ['apicache', 'none', stale('answered', 1)],
  ])('of %s under %s passes', (level, fault, change) => {
    expect(failures(level, fault, change)).toEqual([]);
  });

  it.each<[string, string, string, (tally: Tally) => void]>([
    ['a stale answer', 'strict', 'none', stale('answered', 0.1)],
    ['a stale answer behind the barrier', 'barrier', 'push-black-hole', stale('answered', 0.1)],
    ['one after the lease', 'lease', 'none', stale('answered', LEASE_MS + 1)],
    ['one long after a crash', 'strict', 'kill', stale('found', LAMBDA_MS + 1)],
    ['one long after a foreign write', 'strict', 'none', stale('foreign', LAMBDA_MS + 1)],
    ['one in a split', 'fenced', 'split', stale('answered', 0.1)],
    ['an error for a reader', 'strict', 'redis-empty', (tally) => (tally.readErrors = 1)],
    ['an error for a writer', 'strict', 'redis-empty', (tally) => (tally.writeErrors = 1)],
    ['an answer for somebody else', 'strict', 'none', (tally) => (tally.impossible = 1)],
    ['a fault that never happened', 'strict', 'kill', (tally) => (tally.injected = 0)],
    ['hardly any reads', 'strict', 'none', (tally) => (tally.reads = 10)],
    ['no hit', 'strict', 'none', (tally) => (tally.ways = [])],
    ['a control that was not caught', 'bentocache', 'none', () => undefined],
  ])('fails for %s', (_what, level, fault, change) => {
    expect(failures(level, fault, change)).toHaveLength(1);
  });

  it('with marks fails for an inversion, unless writers die or Redis took no mark', () => {
    expect(failures('mark', 'none', () => undefined, 1)).toHaveLength(1);
    expect(failures('mark', 'redis-paused', () => undefined, 1, { markFailed: 1 })).toEqual([]);
    expect(failures('mark', 'kill', () => undefined, 1)).toEqual([]);
    expect(failures('strict', 'none', () => undefined, 1)).toEqual([]);
  });

  it('with writes refused that could not be announced it fails for any inversion, and for an error of another kind', () => {
    const refusals = { markFailed: 2 };
    const refused = (count: number) => (tally: Tally) => void (tally.writeErrors = count);
    expect(failures('mark-or-refuse', 'redis-paused', refused(2), 0, refusals)).toEqual([]);
    expect(failures('mark-or-refuse', 'redis-paused', refused(2), 1, refusals)).toHaveLength(1);
    expect(failures('mark-or-refuse', 'redis-paused', refused(3), 0, refusals)).toHaveLength(1);
  });

  it('knows each fault by one name', () => {
    expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
  });
});

describe('the proxy', () => {
  it('never lets bytes overtake others on a connection, whatever the weather', async () => {
    const behind = createServer((socket) => socket.pipe(socket));
    behind.listen(0, '127.0.0.1');
    await once(behind, 'listening');
    const proxy = await startProxy((behind.address() as AddressInfo).port);
    const client: Socket = connect({ host: '127.0.0.1', port: proxy.port });
    try {
      let heard = '';
      client.on('data', (chunk) => (heard += String(chunk)));
      await once(client, 'connect');
      const say = (text: string) => new Promise((resolve) => client.write(text, resolve));
      proxy.turn({ delayMs: 60 });
      await say('a');
      await until(() => proxy.waiting > 0);
      proxy.clear();
      await say('b');
      await until(() => heard.length === 2);
      proxy.turn({ toServer: 'hold' });
      await say('c');
      await until(() => proxy.waiting > 0);
      proxy.clear();
      await say('d');
      await until(() => heard.length === 4);
      expect(heard).toBe('abcd');
    } finally {
      client.destroy();
      await proxy.close();
      behind.close();
    }
  });
});

async function until(test: () => boolean): Promise<void> {
  while (!test()) await new Promise((resolve) => setImmediate(resolve));
}
