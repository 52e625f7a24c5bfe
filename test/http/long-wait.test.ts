// How long readers wait for what is being computed for others: as the cache says, or as the type, the route or the value does.
import type { Server } from 'node:http';
import { afterEach, expect, it } from '@jest/globals';
import type express from 'express';
import request from 'supertest';
import { compose } from '../../src/create-report-cache.js';
import type { ReportCache } from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { gate } from '../support/gate.js';
import { onBoth } from './stage.js';

const open: { reports: ReportCache; server?: Server }[] = [];
afterEach(async () => {
  for (const { reports, server } of open.splice(0)) {
    await reports.close();
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }
});

/** `quick` waits as the cache does, `slow` for five minutes. */
function setUp() {
  const clock = new FakeClock();
  const types = { quick: { ttl: '1h' }, slow: { ttl: '1h', wait: '5m' } } as const;
  const reports = compose({ identify: () => ({ user: 1 }), types, wait: '10s' }, clock);
  return { clock, reports };
}

/** Until somebody waits. */
async function waits(clock: FakeClock): Promise<void> {
  while (clock.waiting === 0) await new Promise((go) => setImmediate(go));
}

it.each([
  ['the cache', 'quick', {}, 10],
  ['the type', 'slow', {}, 300],
  ['the value', 'quick', { wait: '5m' }, 300],
  ['the value, and not its type', 'slow', { wait: '20s' }, 20],
] as const)('a value: as %s says', async (_name, type, options, seconds) => {
  const { clock, reports } = setUp();
  open.push({ reports });
  const done = gate();
  let runs = 0;
  const get = () =>
    reports.getOrLoadAnswer({ type, report: 'r', identity: { user: 1 }, ...options }, async () => {
      runs += 1;
      await done.opened;
      return runs;
    });
  const answers = [get(), get()];
  await waits(clock);
  clock.advance(seconds * 1000 - 1);
  await new Promise((go) => setImmediate(go));
  expect(runs).toBe(1);
  clock.advance(1);
  await new Promise((go) => setImmediate(go));
  expect(runs).toBe(2);
  done.open();
  await Promise.all(answers);
});

onBoth('a route: as it says', (framework: typeof express) => {
  it.each([
    ['its type', 'slow', {}],
    ['itself', 'quick', { wait: '5m' }],
  ] as const)('%s', async (_name, type, options) => {
    const { clock, reports } = setUp();
    const done = gate();
    let runs = 0;
    const app = framework();
    app.get('/report', reports.cache(type, options), async (_req, res) => {
      runs += 1;
      await done.opened;
      res.json({ runs });
    });
    const server = app.listen(0, '127.0.0.1');
    open.push({ reports, server });
    const answers = [1, 2].map(() =>
      request(server)
        .get('/report')
        .then(({ headers }) => headers['x-cache'] as string),
    );
    await waits(clock);
    clock.advance(299_000);
    done.open();
    expect((await Promise.all(answers)).toSorted()).toEqual(['HIT', 'MISS']);
    expect(runs).toBe(1);
  });
});
