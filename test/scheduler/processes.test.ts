// Two real processes over one real Redis: every second is run by one of them, and what a killed one has begun goes on in the other.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from '@jest/globals';
import { ownNamespace, redisUrl } from '../support/isolation.js';
import { kill } from '../support/processes.mjs';
import { Heard } from './support.js';

interface Begun {
  readonly task: string;
  readonly due: number;
  readonly attempt: number;
  readonly at: number;
  readonly by: number;
}

const SCRIPT = fileURLToPath(new URL('process.mjs', import.meta.url));
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
});

it('each second once; a killed process is replaced within its lease and a look', async () => {
  const heard = new Heard<Begun>();
  const soon = new Date(Date.now() + 4000);
  const env = {
    ...process.env,
    SCHEDULE_REDIS: redisUrl(),
    SCHEDULE_NAMESPACE: ownNamespace(),
    SCHEDULE_LONG: `${soon.getUTCSeconds()} ${soon.getUTCMinutes()} ${soon.getUTCHours()} ${soon.getUTCDate()} ${soon.getUTCMonth() + 1} *`,
  };
  const members = [0, 1].map(() => fork(SCRIPT, { env }));
  children.push(...members);
  for (const [by, member] of members.entries())
    member.on('message', (message) => heard.add({ ...(message as Begun), by }));
  const killed = await heard.next(({ task }) => task === 'long');
  expect(killed.attempt).toBe(1);
  const seconds = heard.all.filter(({ task }) => task === 'each').length;
  // For as long as both of them run.
  for (let more = 0; more < 3; more += 1) await heard.next(({ task }) => task === 'each');
  const killedAt = Date.now();
  members[killed.by]!.kill('SIGKILL');
  const taken = await heard.next(({ task }) => task === 'long');
  expect(taken).toMatchObject({ due: killed.due, attempt: 2, by: 1 - killed.by });
  const tookMs = taken.at - killedAt;
  process.stdout.write(`takeover: ${tookMs} ms after the kill\n`);
  // The lease, the doubt, and a look each second.
  expect(tookMs).toBeLessThan(15_000);
  const rest = members[1 - killed.by]!;
  const last = once(rest, 'exit');
  rest.send('end');
  const { runs, missed } = (await heard.next((message) => 'runs' in message)) as unknown as Record<string, number>;
  await last;
  const due = heard.all.filter(({ task, attempt }) => task === 'each' && attempt === 1).map((one) => one.due);
  expect(new Set(due).size).toBe(due.length);
  expect(seconds).toBeGreaterThan(0);
  // All that have begun are on record, but for the one in which a process was killed, and one that may be under way.
  expect(runs).toBeGreaterThanOrEqual(Math.min(due.length, 20) - 2);
  // Whoever was killed may have been about to say that a second is over: those that went by until his lease ended are missed.
  const between = (due.at(-1)! - due[0]!) / 1000 + 1;
  expect(between - due.length).toBeLessThanOrEqual(missed ?? 0);
}, 60_000);
