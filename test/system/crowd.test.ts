// Four real processes over one real Redis, and a thousand readers at once of a report that nobody has computed.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ownNamespace, redisUrl } from '../support/isolation.js';
import { kill } from '../support/processes.mjs';

const PROCESSES = 4;
const SCRIPT = fileURLToPath(new URL('crowd-process.mjs', import.meta.url));

interface Member {
  readonly child: ChildProcess;
  readonly port: number;
}

const namespace = ownNamespace();
const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
let redis: Redis;
let members: Member[];

beforeAll(async () => {
  redis = new Redis(redisUrl());
  const env = { ...process.env, CROWD_REDIS: redisUrl(), CROWD_NAMESPACE: namespace };
  members = await Promise.all(
    Array.from({ length: PROCESSES }, async () => {
      const child = fork(SCRIPT, { env });
      const [{ port }] = (await once(child, 'message')) as [{ port: number }];
      return { child, port };
    }),
  );
});

afterAll(async () => {
  agent.destroy();
  for (const { child } of members) await kill(child);
  const ended = once(redis, 'end');
  redis.disconnect();
  await ended;
});

/** The answer, or why there is none. */
function read({ port }: Member, id: string, route = 'reports'): Promise<{ body: string; label: string; ms: number }> {
  const started = performance.now();
  return new Promise((resolve) => {
    const done = (body: string, label: string) => resolve({ body, label, ms: performance.now() - started });
    const asked = get({ agent, port, host: '127.0.0.1', path: `/${route}/${id}` }, (res) => {
      let body = '';
      res.on('data', (chunk: Buffer) => (body += chunk.toString()));
      res.on('end', () => done(body, String(res.headers['x-cache'])));
    });
    asked.on('error', (error) => done(error.message, 'none'));
  });
}

/** `count` readers at once, evenly over the processes. */
const crowd = (count: number, id: string, route?: string) =>
  Array.from({ length: count }, (_, at) => read(members[at % PROCESSES]!, id, route));

const runs = async (id: string) => Number(await redis.get(`{${namespace}}:runs:${id}`));

it('a thousand readers: one computation, and everybody has its answer', async () => {
  // Connections, and code that runs for the first time.
  await Promise.all(crowd(1000, 'warm'));
  const answers = await Promise.all(crowd(1000, 'cold'));
  expect(await runs('cold')).toBe(1);
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['{"run":1}']));
  expect(answers.filter(({ label }) => label === 'MISS')).toHaveLength(1);
  expect(answers.filter(({ label }) => label === 'HIT')).toHaveLength(999);
  const led = answers.find(({ label }) => label === 'MISS')?.ms ?? 0;
  // What this machine needs to bring a thousand answers at all.
  const again = await Promise.all(crowd(1000, 'cold'));
  process.stdout.write(
    `a thousand readers of a cold report: ${spread(answers)}, its leader ${led.toFixed(0)} ms; the same of the warm one: ${spread(again)}\n`,
  );
});

function spread(answers: readonly { ms: number }[]): string {
  const sorted = answers.map(({ ms }) => ms).toSorted((one, two) => one - two);
  const [p50, p99] = [0.5, 0.99].map((part) => sorted[Math.floor(sorted.length * part)]?.toFixed(0));
  return `p50 ${p50} ms, p99 ${p99} ms`;
}

it('two hundred readers of a stale report: one computation, and nobody but its reader waits for it', async () => {
  expect((await read(members[0]!, 'old', 'stale')).label).toBe('MISS');
  let [waiting, finish] = [200, (): void => undefined];
  const othersServed = new Promise<void>((resolve) => (finish = resolve));
  const reading = crowd(200, 'old', 'stale').map(async (one) => {
    const answer = await one;
    waiting -= 1;
    if (waiting === 1) finish();
    return answer;
  });
  await othersServed;
  for (const { child } of members) child.send('finish');
  const answers = await Promise.all(reading);
  const [old, anew] = ['STALE', 'MISS'].map((wanted) => answers.filter(({ label }) => label === wanted));
  expect([old?.length, anew?.length, await runs('old')]).toEqual([199, 1, 2]);
  expect(new Set(old?.map(({ body }) => body))).toEqual(new Set(['{"run":1}']));
  expect(anew?.map(({ body }) => body)).toEqual(['{"run":2}']);
});

it('FAULT the computing process is killed: another takes over after the deadline, and every reader has his answer', async () => {
  const computing = members.map(async ({ child }, at) => {
    await once(child, 'message');
    return at;
  });
  const reading = Promise.all(crowd(200, 'endless'));
  const at = await Promise.race(computing);
  members[at]!.child.kill('SIGKILL');
  const answers = await reading;
  const answered = answers.filter(({ label }) => label !== 'none');
  expect(answered).toHaveLength(150);
  expect(new Set(answered.map(({ body }) => body))).toEqual(new Set(['{"run":2}']));
  expect(await runs('endless')).toBe(2);
});
