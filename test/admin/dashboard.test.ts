// The dashboard as the router serves it: the page and its assets at any mount point, events as they happen, and for whom.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import compression from 'compression';
import { isCrossSite } from '../../src/admin/cross-site.js';
import { InvalidationLog } from '../../src/admin/invalidation-log.js';
import { Live } from '../../src/admin/live.js';
import { withLatest } from '../../src/admin/summary.js';
import type { CacheEvent } from '../../src/contract/events.js';
import type { LoggedInvalidation, SharedInvalidationLog } from '../../src/contract/invalidation-log.js';
import { tableTag, tag } from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace } from '../support/isolation.js';
import { expresses } from '../support/expresses.js';
import { startStage, type Scene, type Stage } from './dashboard-stage.js';
import { readEvents } from './event-reader.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function stage(scene?: Scene) {
  const made = await startStage(scene);
  closing.push(() => made.close());
  const watch = async (role = 'viewer', headers: Record<string, string> = {}) => {
    const reader = await readEvents(`${made.origin}${made.base}/events`, { 'x-user': `7 ${role}`, ...headers });
    closing.push(() => reader.leave());
    return reader;
  };
  return { ...made, watch };
}

/** What the page asks for beside itself. */
const assetsIn = (html: string) => [...html.matchAll(/(?:href|src)="(assets\/[^"]+)"/g)].map((match) => match[1]!);

describe.each(expresses)('%s', (_name, make) => {
  it.each(['/api/reports/cache', '/'])('serves the page at %s, and what it names beside it', async (at) => {
    const { ask } = await stage({ express: make, at });
    const page = await ask('GET', '/', 'viewer');
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const assets = assetsIn(page.bytes.toString());
    expect(assets).toHaveLength(2);
    for (const path of assets) {
      const plain = await ask('GET', `/${path}`, 'viewer');
      expect(plain.headers).toMatchObject({
        'content-type': expect.stringMatching(/^text\/(?:css|javascript); charset=utf-8$/),
        'cache-control': 'private, max-age=31536000, immutable',
        'x-content-type-options': 'nosniff',
      });
      const coded = await ask('GET', `/${path}`, 'viewer', { 'accept-encoding': 'br, gzip' });
      expect(coded.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
      expect(gunzipSync(coded.bytes).equals(plain.bytes)).toBe(true);
    }
  });

  it('leads from the mount point to the slash behind it, or the assets would be looked for elsewhere', async () => {
    const { ask } = await stage({ express: make });
    expect(await ask('GET', '', 'viewer')).toMatchObject({ status: 302, headers: { location: './cache/' } });
    const nested = await stage({ express: make, at: '/a/:b' });
    const odd = await nested.send('GET', '/a/%2F%2Fevil.example', { 'x-user': '7 viewer' });
    expect([odd.status, odd.headers['location']]).toEqual([302, './%2F%2Fevil.example/']);
  });

  it('tells of what happens while it happens, also behind compression', async () => {
    const { watch, reports, ask, read } = await stage({ express: make, front: [compression()] });
    await read(1);
    const reader = await watch('viewer', { 'accept-encoding': 'gzip' });
    expect(reader.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
    });
    expect(reader.headers).not.toHaveProperty('content-encoding');
    expect(await reader.next('stats')).toMatchObject({ complete: true, total: { misses: 1 } });
    expect(await reader.next('health')).toMatchObject({ state: 'ready' });
    expect(reader.text()).toMatch(/^retry: 2000\n\n/);
    await reports.invalidate(tag('student', 1), 'test');
    expect(await reader.next('invalidation')).toMatchObject({
      invalidations: [{ cause: 'test', tags: ['student:1'], count: 1, seq: expect.any(Number) }],
      more: 0,
    });
    // The same figures as those of the API.
    const { json } = await ask('GET', '/stats', 'viewer');
    const told = (await reader.next('stats')) as Record<string, unknown>;
    expect([told['total'], told['types']]).toEqual([json['total'], json['types']]);
  });

  it('ends with the cache', async () => {
    const { watch, reports } = await stage({ express: make });
    const reader = await watch();
    await reports.close();
    await reader.ended;
    expect((await watch()).status).toBe(503);
  });
});

describe('over several processes', () => {
  interface Named {
    readonly cause: string;
    readonly process: string;
    readonly epoch: string;
    readonly seq: number;
  }

  it('an invalidation of another one is told, once, with who has done it', async () => {
    const namespace = ownNamespace();
    const one = await stage({ cache: { namespace } });
    const other = await stage({ cache: { namespace } });
    await other.reports.invalidate(tag('student', 1), 'before');
    // Told to all before somebody comes.
    await other.ask('GET', '/invalidations');
    const reader = await one.watch();
    await reader.next('stats');
    await reader.next('stats');
    await other.reports.invalidate([tag('student', 2), tableTag('grade')], 'there');
    await one.reports.invalidate(tag('student', 3), 'here');
    const seen = () =>
      [...reader.text().matchAll(/^event: invalidation\ndata: (.*)$/gm)].flatMap(
        ([, data]) => (JSON.parse(data!) as { invalidations: Named[] }).invalidations,
      );
    const until = async (cause: string) => {
      while (!seen().some((each) => each.cause === cause)) await reader.next('invalidation');
    };
    await until('there');
    await one.reports.invalidate(tag('student', 4), 'last');
    // Two more looks at the log: whatever would come a second time had its chance.
    for (let beats = 0; beats < 2; beats += 1) await reader.next('stats');
    await one.reports.invalidate(tag('student', 5), 'the end');
    await until('the end');
    expect(
      seen()
        .map(({ cause }) => cause)
        .toSorted(),
    ).toEqual(['here', 'last', 'the end', 'there']);
    const { json } = await one.ask('GET', '/invalidations');
    const logged = json['invalidations'] as Named[];
    for (const { cause, process, seq, epoch } of seen())
      expect(logged.find((each) => each.cause === cause)).toMatchObject({ process, seq, epoch });
  });
});

describe('what Redis holds', () => {
  const inRedis = async (ask: Stage['ask']) =>
    (await ask('GET', '/stats', 'viewer')).json['redis'] as { bytes: number; max_bytes: number; entries: number };

  it('is told with its budget: what the index says, no entry of it read', async () => {
    const { ask, warm, watch, reports } = await stage({ cache: { redisMaxBytes: '3mb' } });
    expect(await inRedis(ask)).toEqual({ bytes: 0, max_bytes: 3 * (1 << 20), entries: 0 });
    for (const id of [1, 2, 3]) await warm(id);
    let told = await inRedis(ask);
    // Charges go behind the readers' back.
    while (told.entries < 3) told = await inRedis(ask);
    const listed = (await ask('GET', '/entries', 'viewer')).json['entries'] as { bytes: number }[];
    expect(told).toEqual({
      bytes: listed.reduce((sum, { bytes }) => sum + bytes, 0),
      max_bytes: 3 * (1 << 20),
      entries: 3,
    });
    expect(await (await watch()).next('stats')).toMatchObject({ redis: told });
    await reports.close();
  });

  it('is not told where there is none, or where it does not answer', async () => {
    const own = await stage({ cache: { redis: undefined as never, alone: true } });
    const lost = await stage({});
    lost.redis.disconnect();
    for (const { ask } of [own, lost]) {
      const { status, json } = await ask('GET', '/stats', 'viewer');
      expect(status).toBe(200);
      expect(json).toHaveProperty('memory.entries', 0);
      expect(json).not.toHaveProperty('redis');
    }
  });
});

describe('who may see it', () => {
  it.each(['/', '/assets/dashboard.js', '/events', '/me'])('%s needs a login and `read`', async (path) => {
    const { ask } = await stage();
    expect((await ask('GET', path, '')).status).toBe(401);
    expect((await ask('GET', path, 'nobody')).status).toBe(403);
  });

  it('GET /me: who asks, and what of all there is he may do', async () => {
    const { ask } = await stage();
    expect((await ask('GET', '/me', 'viewer')).json).toEqual({ user: '7', actions: ['read'] });
    expect((await ask('GET', '/me', 'editor')).json).toEqual({ user: '7', actions: ['read', 'invalidate'] });
    expect((await ask('GET', '/me', 'operator')).json['actions']).toContain('clear');
  });

  it('nothing but the files of the dashboard', async () => {
    const { ask } = await stage();
    for (const path of ['index.html', 'NOTICE.uPlot.txt', '..%2f..%2fpackage.json', '..%5cindex.html', 'constructor'])
      expect((await ask('GET', `/assets/${path}`)).status).toBe(404);
  });

  it('the page runs its own script and style alone, in nobody’s frame, and is not kept', async () => {
    const { ask } = await stage();
    const { headers } = await ask('GET', '/');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'; style-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
    });
  });

  it('keeps what others said of Vary', async () => {
    const { ask } = await stage({
      before: (_req, res, next) => {
        res.setHeader('Vary', 'Origin');
        next();
      },
    });
    expect((await ask('GET', '/')).headers['vary']).toBe('Origin, Accept-Encoding');
  });

  it('HEAD: the page, and events that nobody waits for', async () => {
    const { ask } = await stage();
    const { status, bytes, headers } = await ask('HEAD', '/');
    expect([status, bytes.length, Number(headers['content-length']) > 500]).toEqual([200, 0, true]);
    expect(await ask('HEAD', '/events')).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
    });
  });
});

describe('requests of other sites (CSRF)', () => {
  it.each([
    [{}, false],
    [{ 'sec-fetch-site': 'same-origin' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site' }, true],
    [{ 'sec-fetch-site': 'something-new' }, true],
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://school.example' }, true],
    [{ origin: 'https://school.example' }, false],
    [{ origin: 'http://school.example:8080' }, false],
    [{ origin: 'https://evil.example' }, true],
    [{ origin: 'https://school.example.evil.example' }, true],
    [{ origin: 'null' }, true],
    [{ origin: '' }, true],
  ])('%j: %s', (headers, expected) => {
    expect(isCrossSite(headers, 'school.example')).toBe(expected);
  });

  it('change nothing, whoever is logged in, and are on record', async () => {
    const events: CacheEvent[] = [];
    const { ask, warm, read } = await stage({ cache: { onEvent: (event) => void events.push(event) } });
    await warm(1);
    const foreign = { 'sec-fetch-site': 'cross-site' };
    for (const [method, path, body] of [
      ['DELETE', '/', undefined],
      ['DELETE', '/1', undefined],
      ['POST', '/invalidate', { report: '1' }],
      ['POST', '/stats/reset', {}],
    ] as const)
      expect(await ask(method, path, 'operator', foreign, body)).toMatchObject({
        status: 403,
        json: { code: 'cross-site' },
      });
    expect((await ask('DELETE', '/1', 'operator', { origin: 'https://evil.example' })).status).toBe(403);
    expect((await read(1)).headers['x-cache']).toBe('HIT');
    expect(events.filter(({ kind }) => kind === 'managed')).toMatchObject(Array(5).fill({ outcome: 'denied' }));
    expect((await ask('DELETE', '/1', 'operator', { 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect((await ask('GET', '/stats', 'operator', foreign)).status).toBe(200);
  });
});

describe('what is told to those who watch', () => {
  const source = {
    statistics: async () => ({ buckets: [], complete: true, lastUpdated: new Date(0) }),
    memory: () => ({ entries: 0, bytes: 0, maxBytes: 1 }),
    health: async () => ({ state: 'ready' as const, reasons: [], pending: 0, late: 0 }),
    redis: async () => undefined,
  };

  async function hub(mayStillLook = async () => true, shared?: SharedInvalidationLog) {
    const clock = new FakeClock();
    const invalidations = new InvalidationLog({ shared, process: 'one', clock });
    const live = new Live({ process: 'one', clock });
    const server = createServer((_req, res) => live.open(res, { ...source, invalidations }, mayStillLook));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    closing.push(() => {
      live.close();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const watch = async () => {
      const reader = await readEvents(url);
      closing.push(() => reader.leave());
      return reader;
    };
    return { clock, live, watch };
  }

  const invalidated = (seq: number): CacheEvent => ({
    kind: 'invalidate',
    tags: [`student:${seq}`],
    cause: 'test',
    epoch: 'e',
    seq,
    durationMs: 1,
  });

  it('invalidations: four messages a second at most, however many there are', async () => {
    const { clock, live, watch } = await hub();
    const reader = await watch();
    await reader.next('stats');
    let sent = 0;
    for (let second = 0; second < 10; second += 1)
      for (let tick = 0; tick < 20; tick += 1) {
        for (let at = 0; at < 100; at += 1) live.hear(invalidated((sent += 1)));
        clock.advance(50);
        // Who reads is not let go for being slow.
        if (tick === 19) await new Promise((resolve) => setImmediate(resolve));
      }
    let told = 0;
    let messages = 0;
    while (told < sent) {
      const batch = (await reader.next('invalidation')) as { invalidations: unknown[]; more: number };
      expect(batch.invalidations.length).toBeLessThanOrEqual(60);
      told += batch.invalidations.length + batch.more;
      messages += 1;
    }
    expect([told, messages]).toEqual([20_000, 40]);
  });

  /** A log that others write. */
  class Log implements SharedInvalidationLog {
    asked: (string | undefined)[] = [];
    fresh: LoggedInvalidation[] = [];
    async add() {}
    async *pages() {
      yield [];
    }
    async since(after: string | undefined) {
      this.asked.push(after);
      const records = after === undefined ? [] : this.fresh.splice(0).toReversed();
      return { records, last: String(this.asked.length) };
    }
    tell(seq: number, process = 'other', tags: readonly string[] = [`student:${seq}`]) {
      const at = new Date(seq);
      this.fresh.push({ at, cause: 'there', tags, count: tags.length, ms: 1, epoch: 'e', seq, process });
    }
  }

  /** Until the timer of the next beat stands there. */
  const rested = async ({ waiting }: { readonly waiting: () => number }) => {
    while (waiting() === 0) await new Promise((resolve) => setImmediate(resolve));
  };

  it('invalidations of other processes: from when somebody came, the newest sixty of them, and none of this process again', async () => {
    const log = new Log();
    log.tell(1);
    const { clock, watch } = await hub(undefined, log);
    await (await watch()).next('stats');
    const waiting = () => clock.waiting;
    await rested({ waiting });
    // Looked from the place where the log ended, not at what lay before.
    expect(log.asked).toEqual([undefined]);
    log.fresh = [];
    const reader = await watch();
    for (let seq = 2; seq <= 101; seq += 1) log.tell(seq);
    log.tell(102, 'one');
    clock.advance(2000);
    await reader.next('stats');
    await rested({ waiting });
    clock.advance(250);
    const told = (await reader.next('invalidation')) as {
      invalidations: { seq: number; process: string }[];
      more: number;
    };
    expect([told.invalidations.length, told.more]).toEqual([60, 40]);
    expect(told.invalidations.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, at) => at + 42));
    expect(new Set(told.invalidations.map(({ process }) => process))).toEqual(new Set(['other']));
    expect(log.asked).toEqual([undefined, '1']);
  });

  it('the log of all processes is asked once in two seconds, and not while nobody watches', async () => {
    const log = new Log();
    const { clock, watch } = await hub(undefined, log);
    expect(log.asked).toEqual([]);
    const reader = await watch();
    await reader.next('stats');
    for (let at = 0; at < 3; at += 1) {
      await rested({ waiting: () => clock.waiting });
      for (let step = 0; step < 8; step += 1) clock.advance(250);
      await reader.next('stats');
    }
    expect(log.asked).toHaveLength(4);
    reader.leave();
    await reader.ended;
    while (clock.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(60_000);
    expect(log.asked).toHaveLength(4);
  });

  it('a Redis that does not answer delays what others have done, and loses none of it', async () => {
    const log = new Log();
    const { clock, watch } = await hub(undefined, log);
    const reader = await watch();
    await reader.next('stats');
    await rested({ waiting: () => clock.waiting });
    const since = log.since.bind(log);
    log.since = async (after) => {
      log.asked.push(after);
      throw new Error('away');
    };
    log.tell(7);
    clock.advance(2000);
    await reader.next('stats');
    await rested({ waiting: () => clock.waiting });
    log.since = since;
    clock.advance(2000);
    await reader.next('stats');
    await rested({ waiting: () => clock.waiting });
    clock.advance(250);
    expect(await reader.next('invalidation')).toMatchObject({ invalidations: [{ seq: 7 }], more: 0 });
    // Asked again from the same place.
    expect(log.asked).toEqual([undefined, '1', '1']);
  });

  it('of many tags the changed tables come first', async () => {
    const { clock, live, watch } = await hub();
    const reader = await watch();
    await reader.next('stats');
    const tags = [...Array.from({ length: 40 }, (_, at) => tag('student', at)), tableTag('grade')];
    live.hear({ ...invalidated(1), tags } as CacheEvent);
    clock.advance(250);
    const told = (await reader.next('invalidation')) as { invalidations: { tags: string[]; count: number }[] };
    expect(told.invalidations[0]).toMatchObject({ count: 41, process: 'one', epoch: 'e' });
    expect([told.invalidations[0]?.tags[0], told.invalidations[0]?.tags.length]).toEqual(['table:grade', 12]);
  });

  it('warming and tasks in the words of the API, without in whose request', async () => {
    const { live, watch } = await hub();
    const reader = await watch();
    await reader.next('stats');
    const progress = { run: 1, way: 'all', total: 3, cached: 2, computed: 1, failed: 0 };
    live.hear({ kind: 'warming', ...progress, state: 'progress', correlationId: 'r-1' });
    expect(await reader.next('warming')).toEqual({ ...progress, state: 'progress' });
    live.hear({
      kind: 'task',
      task: 'mine',
      state: 'retry',
      attempt: 2,
      durationMs: 5,
      retryMs: 60,
      correlationId: 'r-1',
    });
    expect(await reader.next('task')).toEqual({ task: 'mine', state: 'retry', attempt: 2, ms: 5, retry_ms: 60 });
  });

  it('nothing is kept while nobody watches', async () => {
    const { clock, live, watch } = await hub();
    live.hear(invalidated(1));
    const reader = await watch();
    await reader.next('stats');
    live.hear(invalidated(2));
    clock.advance(250);
    expect(await reader.next('invalidation')).toMatchObject({ invalidations: [{ seq: 2 }], more: 0 });
    reader.leave();
    await reader.ended;
    while (clock.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(clock.waiting).toBe(0);
  });

  it('no more than twenty at once; who leaves makes room', async () => {
    const { live, watch } = await hub();
    const readers = await Promise.all(Array.from({ length: 20 }, watch));
    expect(live.isFull).toBe(true);
    await expect(watch()).rejects.toThrow('socket hang up');
    readers[0]?.leave();
    while (live.isFull) await new Promise((resolve) => setImmediate(resolve));
    await (await watch()).next('stats');
  });

  it('the API says that it is full', async () => {
    const { watch, ask } = await stage();
    for (let at = 0; at < 20; at += 1) await watch();
    expect(await ask('GET', '/events')).toMatchObject({ status: 503, json: { code: 'too-many-streams' } });
  });

  it('who does not read is let go, before much waits for him', async () => {
    const { live, watch } = await hub();
    const reader = await watch();
    await reader.next('stats');
    const tags = ['student:5'];
    let gone = false;
    void reader.ended.then(() => (gone = true));
    // Paused by having no turn: nothing is read between these writes. The kernel takes some megabytes by itself.
    const name = 'x'.repeat(60_000);
    const heard = { kind: 'warming', tags, name } as unknown as CacheEvent;
    for (let at = 0; at < 1000; at += 1) live.hear(heard);
    while (!gone) await new Promise((resolve) => setImmediate(resolve));
    expect(reader.text().length).toBeLessThan(60_000 * 500);
  });

  it('who may look is asked again every minute', async () => {
    let may = true;
    let asked = 0;
    const { clock, watch } = await hub(async () => {
      asked += 1;
      return may;
    });
    const reader = await watch();
    await reader.next('stats');
    const beat = async () => {
      while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
      clock.advance(2000);
      await reader.next('stats');
    };
    for (let at = 0; at < 29; at += 1) await beat();
    expect(asked).toBe(0);
    await beat();
    expect(asked).toBe(1);
    may = false;
    for (let at = 0; at < 30; at += 1) await beat();
    await reader.ended;
    expect(asked).toBe(2);
  });

  it('a comment keeps the line open', async () => {
    const { clock, watch } = await hub();
    const reader = await watch();
    await reader.next('stats');
    for (let at = 0; at < 20; at += 1) {
      while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
      clock.advance(2000);
      await reader.next('stats');
    }
    expect(reader.text().match(/^:$/gm)?.length).toBeGreaterThanOrEqual(2);
  });
});

describe('a day with its latest counts', () => {
  const bucket = (minutes: number, times: number) => ({
    at: new Date(minutes * 60_000),
    types: { analytics: { miss: { times, ms: 1 } } },
  });

  it('takes the place of what was read before, and forgets what is older than a day', () => {
    const now = 1445 * 60_000;
    const day = [bucket(0, 1), bucket(5, 2), bucket(10, 6), bucket(1435, 3), bucket(1440, 4), bucket(1445, 5)];
    expect(withLatest(day, [bucket(1445, 9)], 2, now)).toEqual([bucket(10, 6), bucket(1435, 3), bucket(1445, 9)]);
  });
});
