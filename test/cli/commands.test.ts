// Each command over both ways, against a real Express with Redis.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Host } from '../../src/cli/host.js';
import { systemClock } from '../../src/contract/clock.js';
import { tag } from '../../src/index.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { Scenes } from '../admin/look-scene.js';
import { redisUrl } from '../support/isolation.js';
import { gate } from '../support/gate.js';
import { run } from './support.js';

const scenes = new Scenes();
afterEach(() => scenes.close());

/** Reports 5 of user 7 and 6 of user 8, cached. */
async function school() {
  const scene = await scenes.start({
    routes: (app, reports) => {
      app.get(
        '/reports/:id',
        reports.cache('analytics', {
          report: (req) => String(req.params['id']),
          tags: (req) => [tag('student', String(req.params['id']))],
        }),
        (req, res) => void res.json({ of: req.params['id'] }),
      );
    },
  });
  await scene.read('/reports/5', '7');
  await scene.read('/reports/6', '8');
  await scene.read('/reports/6', '8');
  await scene.counted(2);
  const api = ['--url', `http://127.0.0.1:${scene.port}/cache`, '--header', 'X-User: operator'];
  const redis = ['--redis', redisUrl(), '--namespace', scene.namespace];
  const cacheOf = async (id: string, user: string) => {
    const { text } = await scene.read(`/reports/${id}`, user);
    expect(text).toContain(id);
    return scene.events.findLast(({ kind }) => kind === 'hit' || kind === 'miss')?.kind;
  };
  return { ...scene, ways: { api, redis }, cacheOf };
}

describe.each(['api', 'redis'] as const)('over %s', (way) => {
  it('stats: requests by type', async () => {
    const { ways, get } = await school();
    // Counts are told to Redis every few seconds, and when somebody asks a process.
    await get('/stats');
    const { code, json } = await run(['stats', '--json', ...ways[way]]);
    expect(code).toBe(0);
    expect(json).toMatchObject({
      complete: true,
      total: { hits: 1, misses: 2 },
      types: { analytics: { total_requests: 3 } },
    });
    const { out } = await run(['stats', ...ways[way]]);
    expect(out).toMatch(/^TYPE +REQUESTS +HITS +MISSES +HIT RATE\nanalytics +3 +1 +2 +33\.3 %\nall /);
    expect(out).toContain(way === 'redis' ? 'The whole Redis server' : 'Memory of the process');
  });

  it('entries: found, sorted, a page at a time', async () => {
    const { ways } = await school();
    const all = await run([
      'entries',
      '--type',
      'analytics',
      '--sort',
      'bytes',
      '--order',
      'desc',
      '--json',
      ...ways[way],
    ]);
    expect(all.json).toMatchObject({ total: 2, complete: true, entries: [{ type: 'analytics' }, {}] });
    const mine = await run(['entries', '--user', '7', '--json', ...ways[way]]);
    expect(mine.json.entries).toMatchObject([{ report: '5', owner: '7' }]);
    const first = await run(['entries', '--limit', '1', '--sort', 'key', ...ways[way]]);
    expect(first.out).toMatch(/^KEY .*\nreport:5:7:\S+ +analytics /);
    expect(first.out).toContain('1 of 2 entries.');
    const after = /--after (\S+)/.exec(first.out)?.[1] ?? '';
    const second = await run(['entries', '--limit', '1', '--sort', 'key', '--after', after, ...ways[way]]);
    expect(second.out).toContain('report:6:8:');
    const wrong = await run(['entries', '--sort', 'colour', ...ways[way]]);
    expect([wrong.code, wrong.out]).toEqual([1, '']);
    expect(wrong.err).toContain('"sort" takes ends, bytes, cost, key');
  });

  it('explain: a hit, and what has ended it', async () => {
    const { ways, keyOf, reports } = await school();
    const { key } = keyOf('analytics');
    const hit = await run(['explain', key, ...ways[way]]);
    expect(hit.out).toContain('HIT (fresh)');
    expect(hit.out).toContain('student:6');
    await reports.invalidate(tag('student', 6));
    const miss = await run(['explain', key, '--json', ...ways[way]]);
    expect(miss).toMatchObject({
      code: 0,
      json: { verdict: 'miss', reason: 'invalidated', invalidated_by: { tag: 'student:6' } },
    });
  });

  it('explain: a value that is not there, by type and report', async () => {
    const { ways } = await school();
    const { code, json } = await run([
      'explain',
      '--type',
      'analytics',
      '--report',
      '5',
      '--user',
      '7',
      '--json',
      ...ways[way],
    ]);
    expect([code, json.verdict, json.reason]).toEqual([0, 'miss', 'absent']);
  });

  it('invalidate: by tag, through the protocol: all hear of it, and nothing is deleted', async () => {
    const { ways, redis, namespace, cacheOf } = await school();
    const seq = async () => Number(await redis?.hget(`{${namespace}}:t`, '!seq'));
    const keys = async () => (await redis?.keys(`{${namespace}}:e:*`))?.length;
    const [before, there] = [await seq(), await keys()];
    const dry = await run(['invalidate', '--tag', 'student:5', '--dry-run', '--json', ...ways[way]]);
    expect(dry.json).toMatchObject({ dry_run: true, entries: { redis: 1 } });
    expect(await seq()).toBe(before);
    const { code, out } = await run(['invalidate', '--tag', 'student:5', ...ways[way]]);
    expect([code, out.split('\n')[0]]).toEqual([0, 'Invalidated.']);
    expect([await seq(), await keys()]).toEqual([before + 1, there]);
    expect(await cacheOf('5', '7')).toBe('miss');
    expect(await cacheOf('6', '8')).toBe('hit');
  });

  it.each([
    ['--report', '5'],
    ['--user', '7'],
    ['--type', 'analytics'],
    ['--pattern', 'analytics:*'],
    ['--pattern', 'student:5'],
    ['--pattern', 'report:*:7:*'],
  ])('invalidate: %s %s', async (flag, value) => {
    const { ways, cacheOf } = await school();
    expect((await run(['invalidate', flag, value, '--yes', ...ways[way]])).code).toBe(0);
    expect(await cacheOf('5', '7')).toBe('miss');
    expect(await cacheOf('6', '8')).toBe(value.startsWith('analytics') ? 'miss' : 'hit');
  });

  it('invalidate: everything, once somebody has said yes', async () => {
    const { ways, cacheOf } = await school();
    const no = await run(['invalidate', '--everything', ...ways[way]], { terminal: 'n' });
    expect(no.code).toBe(1);
    expect(no.err).toContain('This ends 2 entries in Redis');
    expect(no.err).toContain('Nothing was invalidated');
    expect(await cacheOf('5', '7')).toBe('hit');
    expect((await run(['invalidate', '--everything', ...ways[way]], { terminal: 'y' })).code).toBe(0);
    expect(await cacheOf('5', '7')).toBe('miss');
    expect(await cacheOf('6', '8')).toBe('miss');
  });

  it('invalidate: what the cache does not understand changes nothing, and is no success', async () => {
    const { ways, cacheOf } = await school();
    const { code, err } = await run(['invalidate', '--pattern', 'a*b', '--yes', ...ways[way]]);
    expect([code, err.includes('no pattern')]).toEqual([1, true]);
    expect(await cacheOf('5', '7')).toBe('hit');
  });

  it('Ctrl-C at the question ends with 130, changes nothing and leaves no half line', async () => {
    const { ways, cacheOf } = await school();
    const ran = await run(['invalidate', '--everything', ...ways[way]], {
      terminal: '',
      onError: (text, interrupt) => {
        if (text.includes('[y/N]')) interrupt();
      },
    });
    expect([ran.code, ran.out, ran.err.endsWith('\n')]).toEqual([130, '', true]);
    expect(await cacheOf('5', '7')).toBe('hit');
  });
});

describe('over Redis alone', () => {
  it('an invalidation is in the log, with its cause', async () => {
    const { ways, get } = await school();
    await run(['invalidate', '--tag', 'student:5', ...ways.redis]);
    expect((await get('/invalidations')).json.invalidations[0]).toMatchObject({ cause: 'cli', tags: ['student:5'] });
  });

  it('looking begins no history, and makes nothing cold', async () => {
    const { ways, redis, namespace, keyOf } = await school();
    const { key } = keyOf('analytics');
    await redis?.unlink(`{${namespace}}:t`);
    for (const args of [['stats'], ['entries'], ['explain', key], ['doctor']]) await run([...args, ...ways.redis]);
    expect(await redis?.exists(`{${namespace}}:t`)).toBe(0);
  });

  it('says what only a process can do', async () => {
    const { ways } = await school();
    const { code, err } = await run(['explain', '--report-url', '/reports/5', ...ways.redis]);
    expect([code, err.includes('--url')]).toEqual([2, true]);
  });

  it('goes on to the node of a cluster that has the namespace, once', async () => {
    const { ways } = await school();
    const [, port] = /:(\d+)/.exec(redisUrl()) ?? [];
    const asked: string[] = [];
    const clusterOf = (nodes: number): Host => ({
      load: () => ({
        Redis: class extends Redis {
          override call = ((name: string, ...args: string[]) => {
            asked.push(`${name} ${this.options.host}`);
            const isElsewhere = name === 'HLEN' && asked.length <= nodes;
            return isElsewhere ? Promise.reject(new Error(`MOVED 7 127.0.0.1:${port}`)) : super.call(name, ...args);
          }) as Redis['call'];
        },
      }),
      versionOf: () => undefined,
    });
    expect((await run(['stats', ...ways.redis], { host: clusterOf(1) })).code).toBe(0);
    expect(asked.slice(0, 2)).toEqual([`HLEN ${new URL(redisUrl()).hostname}`, 'HLEN 127.0.0.1']);
    asked.length = 0;
    expect((await run(['stats', ...ways.redis], { host: clusterOf(9) })).code).toBe(3);
    expect(asked).toHaveLength(2);
  });

  it('finds a cache whose client has a key prefix', async () => {
    const scene = await scenes.start();
    const prefixed = new Redis(redisUrl(), { keyPrefix: `${scene.namespace}:` });
    await prefixed.ping();
    const store = new RedisStore(prefixed, { namespace: 'n', version: '1', maxTags: 9 }, systemClock);
    await store.position();
    await store.close();
    await prefixed.quit();
    const args = ['doctor', '--redis', redisUrl(), '--namespace', 'n', '--key-prefix', `${scene.namespace}:`];
    expect((await run(args)).out).toContain('[namespace-found]');
  });

  it('needs ioredis, and says so', async () => {
    const none = {
      load: () => {
        throw new Error('gone');
      },
      versionOf: () => undefined,
    };
    expect((await run(['stats', '--redis', redisUrl()], { host: none })).code).toBe(1);
  });
});

describe('over the API', () => {
  it('credentials come from the environment', async () => {
    const heard: (string | undefined)[] = [];
    const { port } = await scenes.start({
      admin: { authorize: (req) => heard.push(req.headers.authorization) > 0 },
    });
    const env = { REPORT_CACHE_URL: `http://127.0.0.1:${port}/cache`, REPORT_CACHE_AUTHORIZATION: 'Bearer t0ken' };
    expect((await run(['stats', '--header', 'X-User: operator'], { env })).code).toBe(0);
    expect(heard).toEqual(['Bearer t0ken']);
  });

  it('what it refuses is told with its reason', async () => {
    const { port } = await scenes.start();
    const { code, err } = await run(['stats', '--url', `http://127.0.0.1:${port}/cache`]);
    expect([code, err.includes('(401): Log in to manage the cache.')]).toEqual([1, true]);
  });

  it('another page in its place is not taken for it', async () => {
    const { port } = await scenes.start({
      routes: (app) => {
        app.get('/page/stats', (_req, res) => void res.send('<html>'));
        app.get('/moved/stats', (_req, res) => res.redirect('/cache/stats'));
      },
    });
    const at = (path: string) => run(['stats', '--url', `http://127.0.0.1:${port}/${path}`]);
    expect((await at('page')).err).toContain('There is no management API');
    expect((await at('moved')).err).toContain('redirects (302)');
  });

  it('warm: says what came of it, and what failed is no success', async () => {
    const { port, reports } = await scenes.start();
    reports.report('analytics', {
      share: 'everyone',
      warm: { all: () => [{ report: 'a' }, { report: 'b' }], report: (report) => [{ report }] },
      load: ({ report }) => {
        if (report === 'b') throw new Error('no such class');
        return { report };
      },
    });
    const api = ['--url', `http://127.0.0.1:${port}/cache`, '--header', 'x-user: operator'];
    const dry = await run(['warm', '--all', '--dry-run', ...api]);
    expect(dry).toMatchObject({ code: 0, out: '2 reports would be made ready.\n' });
    const all = await run(['warm', '--all', '--budget', '1m', ...api]);
    expect(all.code).toBe(1);
    expect(all.out).toMatch(/^1 of 2 reports ready, 1 computed, 1 failed, in .*\nanalytics b: no such class\n$/);
    expect((await run(['warm', '--report', 'a', '--json', ...api])).json).toMatchObject({
      total: 1,
      cached: 1,
      failed: 0,
    });
    expect((await run(['warm', '--learned', ...api])).code).toBe(0);
  });

  it('warm: shows how far it is, and Ctrl-C leaves no half line', async () => {
    const { port, reports } = await scenes.start();
    const held = gate();
    reports.report('analytics', {
      share: 'everyone',
      warm: { all: () => [{ report: 'a' }, { report: 'b' }, { report: 'c' }] },
      load: async ({ report }) => {
        if (report !== 'a') await held.opened;
        return {};
      },
    });
    const api = ['--url', `http://127.0.0.1:${port}/cache`, '--header', 'x-user: operator'];
    const ran = await run(['warm', '--all', ...api], {
      terminal: '',
      onError: (text, interrupt) => {
        if (text.includes('[##########--------------------] 1 of 3')) interrupt();
      },
    });
    held.open();
    expect([ran.code, ran.out]).toEqual([130, '']);
    expect(ran.err.endsWith('\r\u001B[K')).toBe(true);
  });
});

describe('what is shown', () => {
  it('fits the terminal, and is coloured only there', async () => {
    const { ways } = await school();
    const narrow = await run(['entries', ...ways.redis], { terminal: '', columns: 60 });
    expect(narrow.out).toContain('\u001B[1m');
    expect(narrow.out).toContain('…');
    // oxlint-disable-next-line no-control-regex
    const plain = narrow.out.replaceAll(/\u001B\[\d+m/g, '').split('\n');
    expect(Math.max(...plain.map((line) => line.length))).toBeLessThanOrEqual(60);
    const quiet = await run(['entries', ...ways.redis], { terminal: '', env: { NO_COLOR: '1' } });
    expect(quiet.out).not.toContain('\u001B');
    const piped = await run(['entries', ...ways.redis]);
    for (const sign of ['\u001B', '…']) expect(piped.out).not.toContain(sign);
  });
});
