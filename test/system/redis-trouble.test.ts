// Redis in trouble is not the reader's: nobody waits longer than one deadline, no invalidation is lost, and it mends by itself.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { startProxy } from '../../check/live/proxy.mjs';
import { startPrivateRedis, type PrivateRedis } from '../support/private-redis.js';
import { Grade, School, type Process } from './school.js';

const DEADLINE_MS = 250;
/** For supertest, PostgreSQL and a machine that runs other tests. */
const GENEROUS_MS = 2000;
const READERS = 40;

let school: School;
let redis: PrivateRedis;
let proxy: Awaited<ReturnType<typeof startProxy>>;
beforeEach(async () => {
  redis = await startPrivateRedis();
  proxy = await startProxy(redis.port);
  school = await School.open();
});
afterEach(async () => {
  await school.close();
  await proxy.close();
  await redis.stop();
});

/** A host that leaves ioredis as it comes: commands wait offline, and are sent again. */
const process = (port: number, options = {}) =>
  school.process({
    shared: `redis://127.0.0.1:${port}`,
    client: { retryStrategy: () => 20 },
    redisDeadline: `${DEADLINE_MS}ms`,
    hold: '1m',
    ...options,
  });

async function get({ app }: Process, path: string) {
  const began = performance.now();
  const answer = await request(app).get(path).set('x-user', 'u1');
  const scores = (answer.body as { score: number }[]).map(({ score }) => score);
  return {
    status: answer.status,
    label: answer.get('x-cache'),
    layer: /detail=(\w+)/.exec(answer.get('cache-status') ?? '')?.[1],
    scores,
    ms: performance.now() - began,
  };
}

const states = ({ events }: Process) => events.flatMap((event) => (event.kind === 'breaker' ? [event.state] : []));
const probes = (one: Process) => states(one).filter((state) => state === 'half-open').length;
const unanswered = (one: Process) =>
  (one.redis as unknown as { readonly commandQueue: { readonly length: number } }).commandQueue.length;

async function grade({ dataSource }: Process, id: number, score: number) {
  const row = await dataSource.getRepository(Grade).findOneByOrFail({ id });
  await dataSource.getRepository(Grade).save({ ...row, score });
}

/** Asks until it is so; what happens in between is another process's business. */
async function until(so: () => Promise<boolean>) {
  while (!(await so())) await pause(5);
}

/** What becomes of Redis, and how that ends. */
const TROUBLES = [
  ['hangs (SIGSTOP)', () => redis.hang(), () => redis.wake()],
  [
    'is behind a network that swallows everything',
    () => proxy.turn({ toServer: 'drop', toClient: 'drop' }),
    () => {
      proxy.clear();
      proxy.cut();
    },
  ],
  ['answers after 2 s', () => proxy.turn({ delayMs: 2000 }), () => proxy.clear()],
] as const;

describe.each(TROUBLES)('a Redis that %s', (_name, begin, end) => {
  it('costs readers one deadline, then nothing, and is used again by itself', async () => {
    const one = await process(proxy.port);
    await until(async () => (await get(one, '/students/1')).layer === 'memory');
    // What so many at once cost this machine anyway.
    const calm = await Promise.all(Array.from({ length: READERS }, (_, at) => get(one, `/students/${at}?calm=1`)));
    const heard = one.events.length;

    begin();
    const first = await Promise.all(Array.from({ length: READERS }, (_, at) => get(one, `/students/${at}`)));
    expect(first.every(({ status, label }) => status === 200 && label === 'BYPASS')).toBe(true);
    const longest = (answers: typeof first) => Math.max(...answers.map(({ ms }) => ms));
    expect(longest(first)).toBeLessThan(DEADLINE_MS + 3 * longest(calm) + GENEROUS_MS);
    expect(states(one)[0]).toBe('open');
    expect(await one.reports.health()).toMatchObject({
      state: 'down',
      reasons: expect.arrayContaining(['store-unreachable', 'breaker-open']),
    });

    const sent = unanswered(one);
    const probed = probes(one);
    const times: number[] = [];
    for (let turn = 0; turn < READERS; turn += 1) {
      const began = performance.now();
      await one.reports.getOrLoad({ type: 'custom', report: turn, identity: { user: 1 } }, async () => turn);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    // Only a probe is sent: the question for the position, or CHECK and the fields of one entry.
    expect(unanswered(one) - sent).toBeLessThanOrEqual(2 * (probes(one) - probed));
    expect(times[READERS / 2]).toBeLessThan(DEADLINE_MS / 2);

    end();
    await until(async () => (await get(one, '/students/1')).layer === 'memory');
    // Nothing was invalidated meanwhile, so what memory held is still good.
    const lost = one.events
      .slice(heard)
      .filter((event) => event.kind === 'distrust' && event.reason !== 'disconnected');
    expect(lost).toEqual([]);
    expect(await one.reports.health()).toMatchObject({ state: 'ready' });
    expect(states(one).at(-1)).toBe('closed');
  });

  it('loses no invalidation: whoever writes meanwhile is answered when it is in force everywhere', async () => {
    const [a, b] = [await process(proxy.port), await process(proxy.port)];
    for (const one of [a, b]) {
      await get(one, '/students/1');
      expect(await get(one, '/students/1')).toMatchObject({ label: 'HIT', scores: [50] });
    }
    begin();
    let answered = false;
    const written = grade(a, 1, 99).then(() => (answered = true));
    await until(async () => a.events.some((event) => event.kind === 'invalidateFailed'));
    expect(answered).toBe(false);
    // The writer's own process knows; the other one cannot ask, and computes.
    for (const one of [a, b]) expect(await get(one, '/students/1')).toMatchObject({ label: 'BYPASS', scores: [99] });
    end();
    await written;
    for (const one of [a, b]) {
      expect((await get(one, '/students/1')).scores).toEqual([99]);
      await until(async () => (await get(one, '/students/1')).label === 'HIT');
      expect(await get(one, '/students/1')).toMatchObject({ label: 'HIT', scores: [99] });
    }
  });
});

describe('a Redis that is killed and comes back empty', () => {
  it('is asked again by the first reader after the reconnect, and serves nothing older', async () => {
    const one = await process(redis.port, { redisDeadline: '5s' });
    await get(one, '/students/1');
    expect((await get(one, '/students/1')).label).toBe('HIT');
    const gone = new Promise<void>((resolve) => one.redis?.once('close', resolve));
    await redis.kill();
    await gone;
    const during = await Promise.all(Array.from({ length: READERS }, (_, at) => get(one, `/students/${at}`)));
    expect(during.every(({ status, label }) => status === 200 && label === 'BYPASS')).toBe(true);
    expect(states(one)).toEqual(['open']);
    const written = grade(one, 1, 99);
    await until(async () => one.events.some((event) => event.kind === 'invalidateFailed'));
    const ready = new Promise<void>((resolve) => one.redis?.once('ready', resolve));
    await redis.restart();
    await ready;
    expect(await get(one, '/students/2')).toMatchObject({ label: 'MISS' });
    expect(states(one)).toEqual(['open', 'half-open', 'closed']);
    await written;
    expect((await get(one, '/students/1')).scores).toEqual([99]);
    await until(async () => (await get(one, '/students/1')).label === 'HIT');
    expect((await get(one, '/students/1')).scores).toEqual([99]);
  });
});
