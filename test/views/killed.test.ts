// Real processes that keep a view, and are killed: what they leave behind, the next one finds. Needs `npm run build`.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { redisUrl } from '../support/isolation.js';
import { eventually } from '../support/eventually.js';
import { kill } from '../support/processes.mjs';
import { Lab } from './support/lab.js';

const SCRIPT = fileURLToPath(new URL('killed-process.mjs', import.meta.url));
const TIMEOUT_MS = 60_000;

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());
beforeEach(() => lab.reset());

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
});

async function start(delay: `${number}${'ms' | 'h'}`): Promise<ChildProcess> {
  const view = { VIEW_URL: lab.url, VIEW_REDIS: redisUrl(), VIEW_NAMESPACE: lab.namespace, VIEW_DELAY: delay };
  const child = fork(SCRIPT, { env: { ...process.env, ...view } });
  children.push(child);
  await once(child, 'message');
  return child;
}

/** What a report shows, after `what`. */
async function ask(child: ChildProcess, what: { write?: number } = {}): Promise<number> {
  const answered = once(child, 'message');
  child.send(what);
  const [{ average }] = (await answered) as [{ average: number }];
  return average;
}

/** The view has been refreshed by a process that has ended since. */
async function begun(): Promise<void> {
  const first = await start('1ms');
  await eventually('a first refresh', async () => (await lab.row())?.told === true);
  await kill(first);
}

it(
  'FAULT killed behind the answer to its writer and before the refresh: the next one refreshes',
  async () => {
    await begun();
    const dying = await start('1h');
    expect(await ask(dying, { write: 90 })).toBe(10);
    await kill(dying);
    expect(await lab.average()).toBe(10);
    const next = await start('1ms');
    await eventually('a refresh', async () => (await lab.average()) === 90);
    await eventually('the new report', async () => (await ask(next)) === 90);
  },
  TIMEOUT_MS,
);

it(
  'FAULT killed between COMMIT and its invalidation: the next one finds the row of the outbox, and refreshes',
  async () => {
    await begun();
    const dying = await start('1h');
    expect(await ask(dying)).toBe(10);
    dying.send({ cut: true, write: 90 });
    await eventually('its commit', async () => (await lab.outside.query('SELECT score FROM grade'))[0].score === 90);
    await kill(dying);
    const next = await start('1ms');
    await eventually('a refresh', async () => (await lab.average()) === 90);
    await eventually('the new report', async () => (await ask(next)) === 90);
  },
  TIMEOUT_MS,
);

it(
  'FAULT killed in the middle of a refresh: view and time stay as they were, and another one refreshes',
  async () => {
    await begun();
    const before = await lab.row();
    const other = await start('1ms');
    const dying = await start('1ms');
    const held = await lab.holdRefreshes();
    // Whichever of the two has it in hand: both have to live with that.
    await ask(dying, { write: 90 });
    await held.arrived();
    await kill(dying);
    expect(await lab.average()).toBe(10);
    expect(await lab.row()).toEqual(before);
    await held.release();
    await eventually('a refresh', async () => (await lab.average()) === 90);
    await eventually('the new report', async () => (await ask(other)) === 90);
  },
  TIMEOUT_MS,
);
