// Warming over the management API: what may be named, what came of it, and what is remembered.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import { createReportCache } from '../../src/index.js';
import { gate } from '../support/gate.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(load: (report: string) => unknown = (report) => ({ report })) {
  const reports = createReportCache({ identify: () => ({ user: 'admin' }) });
  reports.report('analytics', {
    share: 'everyone',
    warm: {
      report: (report) => [{ report }],
      user: (user) => [{ report: `of-${user}` }],
      all: () => [{ report: 'a' }],
    },
    load: ({ report }) => load(report),
  });
  const app = express();
  app.use('/cache', reports.admin({ authorize: () => true }));
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  closing.push(async () => {
    await reports.close();
    await new Promise((resolve) => server.close(resolve));
  });
  return async (method: string, body?: object) => {
    const res = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', connection: 'close' };
      const req = http.request({ port, path: '/cache/warm', method, headers }, resolve);
      req.on('error', reject).end(body && JSON.stringify(body));
    });
    let text = '';
    for await (const more of res) text += String(more);
    return { status: res.statusCode, json: JSON.parse(text) as Record<string, unknown> };
  };
}

describe('POST /warm', () => {
  it('takes ids and a type, and answers with total, cached and failed, each failure with its reason', async () => {
    const ask = await start((report) => {
      if (report === '3') throw new Error('no such class');
      return {};
    });
    expect(await ask('POST', { type: 'analytics', reports: [1, '2', 3] })).toMatchObject({
      status: 200,
      json: {
        total: 3,
        cached: 2,
        computed: 2,
        failed: 1,
        skipped: 0,
        failures: [{ type: 'analytics', report: '3', reason: 'no such class' }],
      },
    });
  });

  it('counts in a dry run, and is remembered where it was none', async () => {
    const ask = await start();
    expect((await ask('POST', { all: true, dry_run: true })).json).toMatchObject({
      total: 1,
      cached: 0,
      dry_run: true,
    });
    await ask('POST', { user: 'secret-7', fresh_for_s: 60, budget_s: 5, concurrency: 1 });
    const { json } = await ask('GET');
    expect(json).toMatchObject({
      names: ['analytics'],
      runs: [{ id: 1, way: 'user', running: false, total: 1, cached: 1, failed: 0, done: 1 }],
    });
    expect(JSON.stringify(json)).not.toContain('secret-7');
  });

  it.each([
    [{}],
    [{ reports: [] }],
    [{ user: '1', all: true }],
    [{ learned: 'yes' }],
    [{ organization: '1' }],
    [{ all: true, concurrency: 1000 }],
    [{ all: true, budget_s: -1 }],
    [{ type: 'unknown', all: true }],
    [{ everything: true }],
  ])('refuses %j', async (body) => {
    const ask = await start();
    expect(await ask('POST', body)).toMatchObject({ status: 400, json: { code: 'bad-request' } });
    expect((await ask('GET')).json['runs']).toEqual([]);
  });

  it('is refused for the moment while as many runs go on as may', async () => {
    const held = gate();
    const ask = await start(() => held.opened.then(() => ({})));
    const under = [1, 2, 3, 4].map((report) => ask('POST', { reports: [report] }));
    let runs: unknown[] = [];
    while (runs.length < 4) runs = (await ask('GET')).json['runs'] as unknown[];
    expect(runs).toMatchObject([{ running: true }, { running: true }, { running: true }, { running: true }]);
    expect(await ask('POST', { reports: [5] })).toMatchObject({ status: 503, json: { code: 'busy' } });
    held.open();
    for (const one of under) expect((await one).json).toMatchObject({ cached: 1 });
  });
});
