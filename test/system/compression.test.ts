// Compressed hits, whole: two caches on one Redis, real Express, and nothing old in any coding after a write.
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import zlib from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import { Redis } from 'ioredis';
import { createReportCache, tag, type CacheEvent, type ReportCache } from '../../src/index.js';
import { ask } from '../http/stage.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** One truth for all processes. */
const truth = { grade: 78 };
const report = () => ({ rows: Array.from({ length: 300 }, (_, student) => ({ student, grade: truth.grade })) });

class Process {
  readonly events: CacheEvent[] = [];
  constructor(
    readonly reports: ReportCache,
    readonly port: number,
    events: CacheEvent[],
  ) {
    this.events = events;
  }

  async ask(accepted: string) {
    const from = this.events.length;
    const { headers, body } = await ask(this.port, { headers: { 'Accept-Encoding': accepted } });
    const hit = this.events.slice(from).find((event) => event.kind === 'hit');
    const coding = headers['content-encoding'];
    const plain = coding === 'br' ? zlib.brotliDecompressSync(body) : coding === 'gzip' ? zlib.gunzipSync(body) : body;
    const { rows } = JSON.parse(plain.toString()) as ReturnType<typeof report>;
    return { from: hit?.kind === 'hit' ? hit.layer : headers['x-cache'], coding, grade: rows[299]?.grade };
  }

  async compressed(count = 1): Promise<void> {
    while (this.events.filter(({ kind }) => kind === 'compressed').length < count)
      await new Promise((resolve) => setImmediate(resolve));
  }
}

async function start(namespace: string): Promise<Process> {
  const redis = new Redis(redisUrl());
  await redis.ping();
  const events: CacheEvent[] = [];
  const reports = createReportCache({
    redis,
    namespace,
    identify: () => ({ user: 7 }),
    onEvent: (event) => events.push(event),
  });
  const app = express();
  app.get('/report', reports.cache('analytics', { tags: () => [tag('class', 1)] }), (_req, res) => {
    res.json(report());
  });
  const server = http.createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await reports.close();
    const ended = once(redis, 'end');
    redis.disconnect();
    await ended;
  });
  return new Process(reports, (server.address() as AddressInfo).port, events);
}

/** Waits until the answer to the put is back. */
async function stored(one: Process): Promise<void> {
  while (!one.events.some(({ kind }) => kind === 'stored')) await new Promise((resolve) => setImmediate(resolve));
}

describe('compressed hits of two processes', () => {
  it('one compresses; the other sends what it finds in Redis, and decodes it for who takes no coding', async () => {
    const namespace = ownNamespace();
    const [one, other] = [await start(namespace), await start(namespace)];
    truth.grade = 78;
    expect(await one.ask('gzip')).toEqual({ from: 'MISS', coding: undefined, grade: 78 });
    await stored(one);
    expect(await one.ask('gzip')).toEqual({ from: 'memory', coding: undefined, grade: 78 });
    await one.compressed();
    expect(await one.ask('gzip')).toEqual({ from: 'memory', coding: 'gzip', grade: 78 });
    expect(await other.ask('gzip, br')).toEqual({ from: 'redis', coding: 'gzip', grade: 78 });
    expect(await other.ask('identity')).toEqual({ from: 'memory', coding: undefined, grade: 78 });
    expect(await other.ask('br')).toEqual({ from: 'memory', coding: undefined, grade: 78 });
    await other.compressed();
    expect(await other.ask('br')).toEqual({ from: 'memory', coding: 'br', grade: 78 });
    expect(await other.ask('gzip')).toEqual({ from: 'memory', coding: 'gzip', grade: 78 });
    expect([...one.events, ...other.events].filter(({ kind }) => kind === 'layerFailed')).toEqual([]);
  });

  it('a value that is decoded first, from Redis: identity, at once', async () => {
    const namespace = ownNamespace();
    const [one, other] = [await start(namespace), await start(namespace)];
    truth.grade = 78;
    await one.ask('br');
    await stored(one);
    await one.ask('br');
    await one.compressed();
    expect(await other.ask('identity')).toEqual({ from: 'redis', coding: undefined, grade: 78 });
  });

  it('after a write nothing old is sent in any coding, by anybody, whatever was being compressed', async () => {
    const namespace = ownNamespace();
    const all = [await start(namespace), await start(namespace)];
    const accepted = ['br', 'gzip', 'identity', 'gzip, br', 'br;q=0.1, gzip'];
    for (let round = 0; round < 8; round++) {
      truth.grade = round;
      await all[round % 2]?.reports.invalidate(tag('class', 1));
      // Twice each: the second of them begins to compress what the next round makes old.
      for (const line of [...accepted, ...accepted]) {
        const answers = await Promise.all(all.map((one) => one.ask(line)));
        expect(answers.map(({ grade }) => grade)).toEqual([round, round]);
      }
    }
    const coded = all.flatMap(({ events }) => events.filter(({ kind }) => kind === 'compressed'));
    expect(coded.length).toBeGreaterThan(4);
  });
});
