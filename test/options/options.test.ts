// Options: what is wrong is said at once, with a code; what is documented is what the code does.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createReportCache, type ReportCacheOptions, type RouteOptions } from '../../src/index.js';
import type { Coding } from '../../src/contract/entry.js';
import { CODINGS } from '../../src/entry/codings.js';
import { parseOptions, parseRoute, type TypePolicy } from '../../src/options/parse.js';
import { DEFAULT_TYPES, DEFAULTS } from '../../src/options/defaults.js';
import { parseDuration, parseSize } from '../../src/options/duration.js';
import { root } from '../house/sources.js';

const identify = () => ({ user: 1 });
const make = (options: object) => () => createReportCache({ identify, ...options } as ReportCacheOptions);
const route = (type: string, options: object) => () =>
  createReportCache({ identify }).cache(type, options as RouteOptions);

describe('durations and sizes', () => {
  it.each([
    ['250ms', 250],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['0s', 0],
  ])('%s', (text, ms) => {
    expect(parseDuration(text, 'x')).toBe(ms);
  });

  it.each([[5000], ['5000'], ['-1s'], ['5 m'], ['5min'], [''], [null], [undefined], ['Infinitys']])(
    '%p is no duration',
    (value) => {
      expect(() => parseDuration(value, 'ttl')).toThrow(/ERC_OPTION.*ttl/);
    },
  );

  it('sizes', () => {
    expect(parseSize('50mb', 'x')).toBe(52_428_800);
    expect(parseSize(1, 'x')).toBe(1);
    for (const wrong of [0, -1, 1.5, '50', '50 mb', NaN, null])
      expect(() => parseSize(wrong, 'x')).toThrow(/ERC_OPTION/);
  });
});

describe('for good', () => {
  it('is a time, for persisted types and what is made of them', () => {
    const { types } = parseOptions({ identify, types: { lesson: { ttl: 'forever', persist: true } } });
    const lesson = types.get('lesson') as TypePolicy;
    expect(lesson).toMatchObject({ persist: true, ttlMs: 100 * 365.25 * 86_400_000 });
    expect(parseRoute({}, lesson)).toMatchObject({ persist: true, ttlMs: lesson.ttlMs });
    expect(parseRoute({ ttl: '1h', persist: false }, lesson)).toMatchObject({ persist: false, ttlMs: 3_600_000 });
    expect(() => parseRoute({ persist: false }, lesson)).toThrow(/ERC_OPTION.*ttl/);
    expect(types.get('default')).toMatchObject({ persist: false });
  });
});

describe('createReportCache', () => {
  it('requires identify', () => {
    expect(() => createReportCache({} as ReportCacheOptions)).toThrow(/ERC_IDENTIFY_REQUIRED/);
    expect(() => createReportCache(undefined as unknown as ReportCacheOptions)).toThrow(/ERC_OPTION/);
  });

  it.each([
    [{ ttl: '5m' }],
    [{ types: { a: { ttl: 'forever' } } }],
    [{ types: { a: { ttl: 'forever', persist: true, browser: 'ttl' } } }],
    [{ types: { a: { persist: 'yes' } } }],
    [{ persistMaxBytes: 0 }],
    [{ databaseDeadline: 1000 }],
    [{ namespace: 'a b' }],
    [{ namespace: '{x}' }],
    [{ version: '' }],
    [{ cacheName: 'my cache' }],
    [{ lease: 250 }],
    [{ memory: { max: '1mb' } }],
    [{ memory: { maxBytes: 0 } }],
    [{ redisMaxBytes: 0 }],
    [{ redisMaxBytes: '256' }],
    [{ redisMaxBytesPerUser: '50 mb' }],
    [{ types: { analytics: { ttl: 1800 } } }],
    [{ types: { analytics: { TTL: '5m' } } }],
    [{ types: { analytics: { consistency: 'eventual' } } }],
    [{ types: { analytics: { browser: 60 } } }],
    [{ types: { analytics: { coalesce: 'cluster' } } }],
    [{ types: { analytics: { wait: 30 } } }],
    [{ maxWaiting: 0 }],
    [{ maxWaiting: '100' }],
    [{ maxComputing: 1.5 }],
    [{ maxComputing: Infinity }],
    [{ overload: 'queue' }],
    [{ types: { 'a:b': {} } }],
    [{ types: { report: {} } }],
  ])('refuses %j with a code', (options) => {
    expect(make(options)).toThrow(/ERC_(OPTION|TAG)/);
  });

  it('refuses something that is no Redis client', () => {
    expect(make({ redis: 'redis://localhost' })).toThrow(/ERC_REDIS/);
  });
});

describe('cache()', () => {
  it.each([
    [{ filter: {} }],
    [{ filters: { a: 'text' } }],
    [{ tags: ['student:1'] }],
    [{ report: 42 }],
    [{ share: 'all' }],
    [{ unknownParameters: 'drop' }],
    [{ statuses: [99] }],
    [{ ttl: 300 }],
    [{ tables: [''] }],
    [{ coalesce: true }],
    [{ wait: 'long' }],
    [{ compress: 'gzip' }],
    [{ compress: { encodings: ['deflate'] } }],
    [{ compress: { encodings: [] } }],
    [{ compress: { encodings: 'gzip' } }],
    [{ compress: { minBytes: 0 } }],
    [{ compress: { minBytes: '1 kb' } }],
    [{ compress: { level: 9 } }],
  ])('refuses %j when the route is set up', (options) => {
    expect(route('default', options)).toThrow(/ERC_(OPTION|FILTER|TAG)/);
  });

  it('refuses an unknown type and names those there are', () => {
    expect(route('progress', {})).toThrow(/ERC_TYPE_UNKNOWN.*student_progress/);
  });
});

describe('compress', () => {
  const { types } = parseOptions({
    identify,
    types: { off: { compress: false }, gzip: { compress: { encodings: ['gzip'] } } },
  });
  const policy = (type: string) => types.get(type) as TypePolicy;

  it('is on, with what this Node knows', () => {
    expect(policy('default').compress).toEqual({ codings: CODINGS, minBytes: 1024 });
    expect(parseRoute({ compress: true }, policy('off')).compress).toEqual({ codings: CODINGS, minBytes: 1024 });
  });

  it('is what the type says where a route says nothing, and off without codings', () => {
    expect(parseRoute({}, policy('gzip')).compress).toEqual({ codings: ['gzip'], minBytes: 1024 });
    expect(parseRoute({}, policy('off')).compress.codings).toEqual([]);
    expect(parseRoute({ compress: false }, policy('gzip')).compress.codings).toEqual([]);
  });

  it('keeps the order, and leaves out what only a newer Node knows', () => {
    const { codings, minBytes } = parseRoute(
      { compress: { encodings: ['gzip', 'zstd', 'br'], minBytes: '8kb' } },
      policy('off'),
    ).compress;
    expect(codings).toEqual(['gzip', 'zstd', 'br'].filter((coding) => CODINGS.includes(coding as Coding)));
    expect(minBytes).toBe(8192);
  });
});

describe('the README', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const rows = new Map(
    [...readme.matchAll(/^\|\s*`([\w.]+)`\s*\|\s*([^|]+?)\s*\|/gm)].map(([, name, value]) => [name, value] as const),
  );

  it.each([
    ['namespace', DEFAULTS.namespace],
    ['version', DEFAULTS.version],
    ['lease', DEFAULTS.lease],
    ['redisDeadline', DEFAULTS.redisDeadline],
    ['hold', DEFAULTS.hold],
    ['wait', DEFAULTS.wait],
    ['overload', DEFAULTS.overload],
    ['cacheName', DEFAULTS.cacheName],
    ['share', DEFAULTS.share],
    ['unknownParameters', DEFAULTS.unknownParameters],
    ['invalidParameters', DEFAULTS.invalidParameters],
    ['requestDirectives', DEFAULTS.requestDirectives],
  ])('states the default of %s', (name, value) => {
    expect(rows.get(name)).toBe(`\`'${value}'\``);
  });

  it('states the limits', () => {
    expect(rows.get('maxWaiting')).toBe(`\`${DEFAULTS.maxWaiting}\``);
    expect([rows.get('maxComputing'), DEFAULTS.maxComputing]).toEqual(['unbounded', Infinity]);
    expect(readme).toContain(`\`coalesce\` (\`'${DEFAULTS.coalesce}'\`)`);
  });

  it('states the defaults that depend on Redis', () => {
    expect(rows.get('memory.maxBytes')).toBe(
      `\`'${DEFAULTS.memoryMaxBytes}'\`, with Redis \`'${DEFAULTS.replicaMaxBytes}'\``,
    );
    expect(rows.get('memory.maxBytesPerUser')).toBe(
      `\`'${DEFAULTS.memoryMaxBytesPerUser}'\`, with Redis \`'${DEFAULTS.replicaMaxBytesPerUser}'\``,
    );
    expect(rows.get('memory.ttl')).toBe(`none, with Redis \`'${DEFAULTS.replicaTtl}'\``);
  });

  it('states every built-in type with its time to live', () => {
    const words: Record<string, string> = {
      '5m': '5 minutes',
      '15m': '15 minutes',
      '30m': '30 minutes',
      '1h': '1 hour',
      '10m': '10 minutes',
    };
    for (const [type, { ttl }] of Object.entries(DEFAULT_TYPES))
      expect([type, rows.get(type)]).toEqual([type, words[ttl]]);
  });
});
