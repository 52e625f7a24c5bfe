// close(): what is under way is finished, within a bound, and nothing stays behind.
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { compose } from '../../src/create-report-cache.js';
import { createReportCache, tag, type CacheEvent, type ReportCache } from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';
import { startPrivateRedis } from '../support/private-redis.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function connect(url = redisUrl()): Promise<Redis> {
  const client = new Redis(url);
  client.on('error', () => undefined);
  closing.push(async () => {
    const ended = client.status === 'ready' ? once(client, 'end') : undefined;
    client.disconnect();
    await ended;
  });
  await client.ping();
  return client;
}

function open(redis: Redis, namespace: string) {
  const events: CacheEvent[] = [];
  const reports = createReportCache({
    redis,
    namespace,
    redisDeadline: '5s',
    identify: () => ({ user: 1 }),
    onEvent: (event) => events.push(event),
  });
  closing.push(() => reports.close());
  return { reports, events };
}

const read = (reports: ReportCache, loader: () => Promise<string>) =>
  reports.getOrLoad({ type: 'custom', report: 'r', identity: { user: 1 }, tags: [tag('student', 1)] }, loader);

function gate() {
  let open: () => void = () => undefined;
  let reached: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const arrived = new Promise<void>((resolve) => (reached = resolve));
  return { arrived, open: () => open(), pass: () => (reached(), opened) };
}

/** Whether it is over by the end of this turn. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  const turn = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([promise.then(() => true), turn]);
}

describe('close()', () => {
  it('lets a computation end and its result be stored, while new readers compute for themselves', async () => {
    const namespace = ownNamespace();
    const redis = await connect();
    const { reports, events } = open(redis, namespace);
    const slow = gate();
    const first = read(reports, async () => {
      await slow.pass();
      return 'computed before the end';
    });
    await slow.arrived;
    const closed = reports.close();
    expect(await read(reports, async () => 'computed beside it')).toBe('computed beside it');
    expect(events.slice(-2)).toMatchObject([{ kind: 'bypass', reason: 'closed' }, { kind: 'ran' }]);
    expect(await isOver(closed)).toBe(false);
    slow.open();
    expect(await first).toBe('computed before the end');
    await closed;
    expect(events.some((event) => event.kind === 'stored')).toBe(true);
    const next = open(redis, namespace);
    expect(await read(next.reports, async () => 'computed again')).toBe('computed before the end');
  });

  it('brings into force what is being invalidated', async () => {
    const server = await startPrivateRedis();
    closing.push(() => server.stop());
    const [mine, others] = [await connect(server.url), await connect(server.url)];
    const [a, b] = [open(mine, 'n'), open(others, 'n')];
    await read(b.reports, async () => 'old');
    server.hang();
    const written = a.reports.invalidate(tag('student', 1));
    const closed = a.reports.close();
    // Many times what it takes to close a connection.
    const elsewhere = await connect();
    for (let turn = 0; turn < 50; turn += 1) await elsewhere.ping();
    expect(await isOver(closed)).toBe(false);
    server.wake();
    await closed;
    expect(await isOver(written)).toBe(true);
    expect(a.events.some((event) => event.kind === 'invalidate')).toBe(true);
    expect(await read(b.reports, async () => 'new')).toBe('new');
  });

  it('waits two seconds for what does not end, and leaves no timer', async () => {
    const clock = new FakeClock();
    const reports = compose({ identify: () => ({ user: 1 }) }, clock);
    const never = gate();
    void read(reports, async () => {
      await never.pass();
      return '';
    });
    await never.arrived;
    const closed = reports.close();
    clock.advance(1999);
    expect(await isOver(closed)).toBe(false);
    clock.advance(1);
    await closed;
    never.open();
    const idle = compose({ identify: () => ({ user: 1 }) }, clock);
    await idle.close();
    expect(clock.waiting).toBe(0);
  });

  it('leaves no socket, no timer and no listener', async () => {
    const redis = await connect();
    const listeners = () =>
      redis
        .eventNames()
        .map((name) => `${String(name)} ${redis.listenerCount(name)}`)
        .sort();
    const before = { resources: process.getActiveResourcesInfo().sort(), listeners: listeners() };
    for (let turn = 0; turn < 3; turn += 1) {
      const { reports } = open(redis, ownNamespace());
      await read(reports, async () => 'x');
      await reports.invalidate(tag('student', 1));
      await read(reports, async () => 'y');
      await reports.close();
    }
    // The immediates of closed sockets.
    await new Promise((resolve) => setImmediate(resolve));
    expect({ resources: process.getActiveResourcesInfo().sort(), listeners: listeners() }).toEqual(before);
  });
});
