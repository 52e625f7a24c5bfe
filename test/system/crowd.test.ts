// Four real processes over one real Redis, and a thousand readers at once of a report that nobody has computed.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ownNamespace, redisUrl } from '../support/isolation.js';

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
  for (const { child } of members) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  const ended = once(redis, 'end');
  redis.disconnect();
  await ended;
});

/** The answer, or why there is none. */
function read({ port }: Member, id: string): Promise<{ body: string; label: string; ms: number }> {
  const started = performance.now();
  return new Promise((resolve) => {
    const done = (body: string, label: string) => resolve({ body, label, ms: performance.now() - started });
    const asked = get({ agent, port, host: '127.0.0.1', path: `/reports/${id}` }, (res) => {
      let body = '';
      res.on('data', (chunk: Buffer) => (body += chunk.toString()));
      res.on('end', () => done(body, String(res.headers['x-cache'])));
    });
    asked.on('error', (error) => done(error.message, 'none'));
  });
}

/** `count` readers at once, evenly over the processes. */
const crowd = (count: number, id: string) =>
  Promise.all(Array.from({ length: count }, (_, at) => read(members[at % PROCESSES]!, id)));

const runs = async (id: string) => Number(await redis.get(`{${namespace}}:runs:${id}`));

it('a thousand readers: one computation, and everybody has its answer', async () => {
  // Connections, and code that runs for the first time.
  await crowd(1000, 'warm');
  const answers = await crowd(1000, 'cold');
  expect(await runs('cold')).toBe(1);
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['{"run":1}']));
  expect(answers.filter(({ label }) => label === 'MISS')).toHaveLength(1);
  expect(answers.filter(({ label }) => label === 'HIT')).toHaveLength(999);
  const led = answers.find(({ label }) => label === 'MISS')?.ms ?? 0;
  const late = answers.map(({ ms }) => ms - led).toSorted((one, two) => one - two);
  const [p50, p99] = [0.5, 0.99].map((part) => late[Math.floor(late.length * part)]?.toFixed(0));
  process.stdout.write(`after the leader's answer (${led.toFixed(0)} ms): p50 ${p50} ms, p99 ${p99} ms\n`);
}, 60_000);

it('FAULT the computing process is killed: another takes over after the deadline, and every reader has his answer', async () => {
  const computing = members.map(async ({ child }, at) => {
    await once(child, 'message');
    return at;
  });
  const reading = crowd(200, 'endless');
  const at = await Promise.race(computing);
  members[at]!.child.kill('SIGKILL');
  const answers = await reading;
  const answered = answers.filter(({ label }) => label !== 'none');
  expect(answered).toHaveLength(150);
  expect(new Set(answered.map(({ body }) => body))).toEqual(new Set(['{"run":2}']));
  expect(await runs('endless')).toBe(2);
}, 60_000);
