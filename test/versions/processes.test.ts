// Real processes: votes counted exactly, and killed in the middle of a generation and of a vote. Needs `npm run build`.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { databaseUrl, redisUrl } from '../support/isolation.js';
import { kill } from '../support/processes.mjs';
import { Lab } from './lab.js';

const SCRIPT = fileURLToPath(new URL('process.mjs', import.meta.url));
/** `VOTES=10000` for the long run. */
const VOTES = Number(process.env['VOTES'] ?? 2000);
const VOTERS = VOTES / 10;
const PROCESSES = 4;

let lab: Lab;
const children: ChildProcess[] = [];

beforeAll(async () => {
  lab = await Lab.open('postgres');
});

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await lab.end();
});

afterAll(() => lab.close());

async function start(): Promise<ChildProcess> {
  const env = {
    ...process.env,
    VERSIONS_URL: databaseUrl(),
    VERSIONS_SCHEMA: lab.schema,
    VERSIONS_REDIS: redisUrl(),
    VERSIONS_NAMESPACE: lab.namespace,
  };
  const child = fork(SCRIPT, { env });
  children.push(child);
  await told(child, 'ready');
  return child;
}

/** What it says of this, sooner or later. */
async function told(child: ChildProcess, what: string): Promise<unknown> {
  for (;;) {
    const [message] = (await once(child, 'message')) as [Readonly<Record<string, unknown>>];
    if ('failed' in message) throw new Error(String(message['failed']));
    if (what in message) return message[what];
  }
}

const subject = { report: 'fractions' };

it('votes of many from four processes, each voting again and again: the counts are those of their last votes', async () => {
  const { lessons } = await lab.start({ redis: true });
  await lessons.get(subject);
  await lessons.regenerate(subject);
  const processes = await Promise.all(Array.from({ length: PROCESSES }, start));
  // The voters of one process vote again and again; some take their vote back.
  const started = performance.now();
  const done = processes.map((child) => told(child, 'voted'));
  const each = { voters: VOTERS / PROCESSES, votes: VOTES / PROCESSES };
  for (const [at, child] of processes.entries()) child.send({ vote: { ...each, first: at * each.voters, seed: at } });
  const last = (await Promise.all(done)) as (readonly [voter: number, version: number, vote: string | null])[][];
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`${VOTES} votes: ${(VOTES / seconds).toFixed(0)} a second\n`);
  const votes = last.flat();
  const counted = (version: number, vote: string) =>
    votes.filter(([, of, what]) => of === version && what === vote).length;
  expect(votes.length).toBeGreaterThan(VOTERS);
  for (const { version, up, down } of await lessons.list(subject))
    expect({ version, up, down }).toEqual({ version, up: counted(version, 'up'), down: counted(version, 'down') });
  expect(await lab.count('vote')).toBe(votes.filter(([, , what]) => what !== null).length);
});

it('FAULT killed while it generates: nothing is saved, and the next reader in another process has one made', async () => {
  const [dying, next] = [await start(), await start()];
  dying.send({ get: { hang: true } });
  await told(dying, 'generating');
  await kill(dying);
  expect(await lab.count('version')).toBe(0);
  const got = told(next, 'got');
  next.send({ get: {} });
  expect(await got).toMatchObject({ version: 1, cached: false });
  expect(await lab.count('version')).toBe(1);
});

it('FAULT killed in a vote: nothing of it is there, and the next one counts', async () => {
  const { lessons } = await lab.start({ redis: true });
  await lessons.get(subject);
  const dying = await start();
  const stuck = told(dying, 'stuck');
  dying.send({ vote: { voters: 1, votes: 1, first: 0, seed: 0, stuck: true } });
  await stuck;
  await kill(dying);
  expect(await lessons.vote(subject, 1, 'ada', 'up')).toEqual({ up: 1, down: 0, approved: false });
  expect(await lab.count('vote')).toBe(1);
  expect(await lessons.list(subject)).toMatchObject([{ up: 1, down: 0 }]);
});

it('FAULT killed between the COMMIT of a vote and its invalidation: the outbox has it', async () => {
  const { lessons } = await lab.start({ redis: true, cache: { lambda: '1s' } });
  await lessons.get(subject);
  await lessons.regenerate(subject);
  expect(await lessons.get(subject)).toMatchObject({ version: 2 });
  const dying = await start();
  const stuck = told(dying, 'committed');
  dying.send({ vote: { voters: 1, votes: 1, first: 0, seed: 0, committed: true } });
  await stuck;
  await kill(dying);
  expect(await lessons.list(subject)).toMatchObject([{ version: 2 }, { version: 1, up: 1, served: true }]);
  // Whoever looks next sees it at the latest when the outbox has been swept.
  for (;;) if ((await lessons.get(subject)).version === 1) break;
});
