// The routes of the schedule: what is told, who may run a task, and what is refused.
import { afterEach, expect, it } from '@jest/globals';
import express, { type Request } from 'express';
import { Redis } from 'ioredis';
import request from 'supertest';
import { createReportCache } from '../../src/index.js';
import { gate } from '../support/gate.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function member(namespace: string, run: () => unknown) {
  const redis = new Redis(redisUrl());
  await redis.ping();
  const reports = createReportCache({
    redis,
    namespace,
    identify: (req: Request) => ({ user: req.get('x-user') ?? '' }),
  });
  const schedule = reports.schedule({ mine: { cron: '0 0 1 1 *', run } });
  const app = express();
  app.use('/cache', reports.admin({ authorize: (req, action) => action === 'read' || req.get('x-user') === 'boss' }));
  closing.push(async () => {
    await reports.close();
    redis.disconnect();
  });
  const send = (method: 'get' | 'post', path: string, user = 'boss') =>
    request(app)[method](`/cache${path}`).set('x-user', user).set('Content-Type', 'application/json');
  return { send, schedule };
}

it('tasks are told, and run in one process at a time', async () => {
  const namespace = ownNamespace();
  const [begun, end] = [gate(), gate()];
  const one = await member(namespace, async () => {
    begun.open();
    await end.opened;
    return { sent: 3 };
  });
  const other = await member(namespace, () => 'never');
  expect((await one.send('post', '/schedule/mine/run', 'somebody')).status).toBe(403);
  const accepted = await one.send('post', '/schedule/mine/run');
  expect([accepted.status, accepted.body]).toEqual([202, { task: 'mine', begun: true }]);
  await begun.opened;
  const refused = await other.send('post', '/schedule/mine/run');
  expect([refused.status, refused.body.code]).toEqual([409, 'task-running']);
  const shown = await other.send('get', '/schedule', 'somebody');
  const mine = () => shown.body.tasks.find(({ name }: { name: string }) => name === 'mine');
  expect(mine()).toMatchObject({ cron: '0 0 1 1 *', timezone: 'UTC', last: null, missed: 0, running: { attempt: 1 } });
  expect(mine().next_at).toMatch(/-01-01T00:00:00.000Z$/);
  end.open();
  while ((await one.schedule.runs('mine')).length === 0) await new Promise((resolve) => setImmediate(resolve));
  const { body } = await other.send('get', '/schedule/mine', 'somebody');
  expect(body).toMatchObject({ task: 'mine', runs: [{ outcome: 'done', attempts: 1, result: { sent: 3 } }] });
});

it('a task that is not there is not found', async () => {
  const one = await member(ownNamespace(), () => 1);
  for (const name of ['nobody', 'toString', 'warming']) {
    const answer = await one.send('post', `/schedule/${name}/run`);
    expect([answer.status, answer.body.code]).toEqual([404, 'task-unknown']);
    expect((await one.send('get', `/schedule/${name}`)).status).toBe(404);
  }
});
