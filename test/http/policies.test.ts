// The pure policies: what a request allows, what an answer allows, what a browser is told.
import { describe, expect, it } from '@jest/globals';
import type { Entry, HeaderField } from '../../src/contract/entry.js';
import { browserCacheControl, keepPrivate, unstoredCacheControl } from '../../src/http/browser-policy.js';
import type { Fields } from '../../src/http/header-fields.js';
import { printCacheName } from '../../src/http/labels.js';
import { isUnsafe, planRequest } from '../../src/http/request-policy.js';
import { judgeAnswer } from '../../src/http/response-policy.js';
import { listFieldNames, mergeNames, MOST_VARY_NAMES, VaryMemory, valuesOf } from '../../src/http/vary.js';

const NOW = Date.UTC(2026, 9, 5);

describe('planRequest (RFC 9111 §5.2.1)', () => {
  const plan = (line?: string, pragma?: string) =>
    planRequest(
      'GET',
      { ...(line === undefined ? {} : { 'cache-control': line }), ...(pragma === undefined ? {} : { pragma }) },
      'honour',
    );
  const lookUp = { kind: 'look-up', refresh: false, onlyIfCached: false };

  it.each([
    [undefined, undefined, lookUp],
    ['max-stale', undefined, lookUp],
    ['max-stale=100', undefined, { ...lookUp, accept: expect.any(Function) }],
    ['no-transform', undefined, lookUp],
    ['max-age=soon', undefined, lookUp],
    ['No-Cache', undefined, { ...lookUp, refresh: true }],
    ['only-if-cached', undefined, { ...lookUp, onlyIfCached: true }],
    ['max-age=9, NO-STORE', undefined, { kind: 'bypass', reason: 'request-no-store' }],
    [undefined, 'no-cache', { ...lookUp, refresh: true }],
    [undefined, 'No-Cache', { ...lookUp, refresh: true }],
    ['max-stale', 'no-cache', lookUp], // §5.4: Pragma counts only where Cache-Control is absent
    [undefined, 'no-store', lookUp],
  ])('%j, Pragma %j', (line, pragma, expected) => {
    expect(plan(line, pragma)).toEqual(expected);
  });

  const entry = (ageMs: number, leftMs: number): Entry => ({
    body: Buffer.alloc(0),
    status: 200,
    headers: [],
    etag: '"a"',
    type: 't',
    owner: 'o',
    createdAt: NOW - ageMs,
    staleAt: NOW + leftMs,
    deleteAt: NOW + leftMs,
    computeMs: 0,
    tags: [],
    epoch: 'e',
    asOf: 0,
  });

  it.each([
    ['max-age=60', entry(60_000, 1), true],
    ['max-age=60', entry(60_001, 1), false],
    ['max-age=60, max-age=10', entry(11_000, 1), false],
    ['max-age=0', entry(1, 1), false],
    ['min-fresh=60', entry(0, 60_000), true],
    ['min-fresh=60', entry(0, 59_999), false],
    ['max-age=60, min-fresh=60', entry(60_000, 60_000), true],
    ['only-if-cached, no-cache', entry(0, 60_000), false],
    ['max-age=60', { ...entry(1, 1), headers: [['Age', '60']] as HeaderField[] }, false],
  ])('%j accepts as it should', (line, candidate, accepted) => {
    const made = plan(line);
    expect(made.kind === 'look-up' && made.accept?.(candidate, NOW)).toBe(accepted);
  });

  it('ignores all of them where the route says so', () => {
    expect(planRequest('GET', { 'cache-control': 'no-store, no-cache' }, 'ignore')).toEqual(lookUp);
  });

  it.each(['POST', 'PUT', 'OPTIONS', 'TRACE', 'QUERY', 'PURGE', 'get'])('%s bypasses', (method) => {
    expect(planRequest(method, {}, 'honour')).toEqual({ kind: 'bypass', reason: 'method' });
  });

  it('counts unknown methods as unsafe (RFC 9111 §4.4)', () => {
    expect(['POST', 'PATCH', 'DELETE', 'PURGE', 'LINK'].map(isUnsafe)).toEqual([true, true, true, true, true]);
    expect(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'].map(isUnsafe)).toEqual([false, false, false, false, false]);
  });
});

describe('judgeAnswer (RFC 9111 §3)', () => {
  const fields = (headers: Record<string, string | string[]>): Fields =>
    new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [name, value]]));
  const judge = (headers: Record<string, string | string[]>, status = 200, statuses = [200]) =>
    judgeAnswer({ status, said: fields(headers), bytes: undefined }, new Set(statuses), 1000, NOW);
  const inSeconds = (seconds: number) => new Date(NOW + seconds * 1000).toUTCString();

  it.each([
    [{}, {}],
    [{ 'Cache-Control': 'private, no-transform' }, {}],
    [{ 'Cache-Control': 'private, must-revalidate' }, { withoutGrace: true }],
    [{ 'Cache-Control': 'Proxy-Revalidate' }, { withoutGrace: true }],
    [{ 'Cache-Control': 's-maxage=0' }, { withoutGrace: true }],
    [{ 'Cache-Control': 'ext="no-store", unknown' }, {}],
    [{ 'Cache-Control': 'public, max-age=0' }, {}], // what sendFile writes when nobody said anything
    [{ 'Cache-Control': 'max-age=60' }, { ttlMs: 60_000 }],
    [{ 'Cache-Control': 'max-age="60", MAX-AGE=30' }, { ttlMs: 30_000 }],
    [{ 'Cache-Control': 'max-age=60', Age: '20' }, { ttlMs: 40_000 }],
    [{ 'Cache-Control': 'max-age=60', Expires: '0' }, { ttlMs: 60_000 }],
    [{ Expires: inSeconds(90) }, { ttlMs: 90_000 }],
    [{ Expires: inSeconds(90), Date: inSeconds(30) }, { ttlMs: 60_000 }],
    [{ 'Cache-Control': 'no-cache="Set-Cookie, X-A"' }, { without: ['set-cookie', 'x-a'] }],
    [{ Vary: 'Accept-Language' }, {}],
  ])('stores %j', (headers, expected) => {
    expect(judge(headers as Record<string, string>)).toEqual({ store: true, without: [], ...expected });
  });

  it.each([
    ['no-store', { 'Cache-Control': 'no-store' }],
    ['no-store', { 'Cache-Control': 'max-age=60, NO-Store' }],
    ['no-store', { 'Cache-Control': ['private', 'no-store'] }],
    ['no-store', { 'Cache-Control': 'must-understand, no-store' }],
    ['no-cache', { 'Cache-Control': 'no-cache' }],
    ['no-cache', { 'Cache-Control': 'no-cache=""' }],
    ['no-cache', { 'Cache-Control': 'no-cache="X", no-cache' }],
    ['max-age', { 'Cache-Control': 'max-age=0' }],
    ['max-age', { 'Cache-Control': 'max-age=60, max-age=0' }],
    ['max-age', { 'Cache-Control': 'max-age=-1' }],
    ['max-age', { 'Cache-Control': 'max-age=soon', Expires: inSeconds(60) }],
    ['max-age', { 'Cache-Control': 'max-age=60', Age: '60' }],
    ['max-age', { Expires: '0' }],
    ['max-age', { Expires: inSeconds(0) }],
    ['max-age', { Expires: '2099-01-01' }],
    ['set-cookie', { 'Set-Cookie': 'a=b' }],
    ['vary-star', { Vary: '*' }],
    ['vary-star', { Vary: ['Accept', 'Origin, *'] }],
    ['partial', { 'Content-Range': 'bytes 0-1/9' }],
  ])('declines for %s: %j', (reason, headers) => {
    expect(judge(headers as Record<string, string>)).toEqual({ store: false, reason });
  });

  it.each([
    [201, 'status'],
    [202, 'status'],
    [302, 'status'],
    [404, 'status'],
    [500, 'status'],
    [206, 'partial'],
    [304, 'not-modified'],
  ])('declines %s by default', (status, reason) => {
    expect(judge({}, status)).toEqual({ store: false, reason });
  });

  it('stores other statuses where the route names them, but never those that must not be (RFC 6585)', () => {
    const all = Array.from({ length: 500 }, (_, i) => i + 100);
    const stored = all.filter((status) => judge({}, status, all).store);
    expect(all.filter((status) => !stored.includes(status) && status >= 200)).toEqual([206, 304, 428, 429, 431, 511]);
    expect(Math.min(...stored)).toBe(200);
  });

  it('declines what is known to be too large', () => {
    const large = (bytes: number) => judgeAnswer({ status: 200, said: new Map(), bytes }, new Set([200]), 1000, NOW);
    expect(large(1001)).toEqual({ store: false, reason: 'too-large' });
    expect(large(1000).store).toBe(true);
  });
});

describe('what the browser is told', () => {
  it.each([
    ['revalidate', 0, 300_000, 'private, no-cache'],
    ['no-store', 0, 300_000, 'no-store'],
    [0, 0, 300_000, 'private, no-cache'],
    ['ttl', 0, 300_000, 'private, max-age=300, must-revalidate'],
    ['ttl', 60, 240_000, 'private, max-age=300, must-revalidate'],
    ['ttl', 60, 239_999, 'private, max-age=299, must-revalidate'],
    [30, 0, 300_000, 'private, max-age=30, must-revalidate'],
    [30, 290, 10_000, 'private, max-age=300, must-revalidate'],
    [30, 400, -100_000, 'private, max-age=400, must-revalidate'],
  ] as const)('%s at age %i with %i ms left: %s', (policy, age, remaining, line) => {
    expect(browserCacheControl(policy, age, remaining)).toBe(line);
  });

  it.each([
    [200, 'ttl', 'private, no-cache'],
    [302, 'revalidate', 'private, no-cache'],
    [202, 'ttl', 'no-store'],
    [404, 'ttl', 'no-store'],
    [500, 'revalidate', 'no-store'],
    [200, 'no-store', 'no-store'],
  ] as const)('%i under %s, not stored: %s', (status, policy, line) => {
    expect(unstoredCacheControl(status, policy)).toBe(line);
  });

  it.each([
    ['public, max-age=60', 'user', 'private, max-age=60'],
    ['PUBLIC', 'role', 'private'],
    ['max-age=60', 'tenant', 'private, max-age=60'],
    ['s-maxage=60, max-age=1', 'user', 'private, s-maxage=60, max-age=1'],
    ['private, max-age=60', 'user', 'private, max-age=60'],
    ['private="X", max-age=60', 'user', 'private, private=X, max-age=60'],
    ['Private,Max-Age=60', 'user', 'Private,Max-Age=60'],
    ['no-store', 'user', 'no-store'],
    ['public, no-store', 'user', 'no-store'],
    ['public, max-age=60', 'everyone', 'public, max-age=60'],
  ] as const)('%j for %s: %j', (line, share, kept) => {
    expect(keepPrivate(line, share)).toBe(kept);
  });
});

describe('Vary', () => {
  it('adds names once, whatever their case', () => {
    expect(mergeNames(['Origin'], ['ORIGIN', 'Cookie', 'cookie'])).toEqual(['Origin', 'Cookie']);
    expect(mergeNames(['*'], ['Cookie'])).toEqual(['*']);
    expect(listFieldNames(' a,, B ,')).toEqual(['a', 'B']);
  });

  it('learns sorted lower-case names up to its bound', () => {
    const memory = new VaryMemory();
    expect(memory.learn(['X-B', 'x-a'])).toBe(true);
    expect(memory.names).toEqual(['x-a', 'x-b']);
    expect(memory.learn(Array.from({ length: MOST_VARY_NAMES - 1 }, (_, i) => `x-${i}`))).toBe(false);
    expect(memory.names).toEqual(['x-a', 'x-b']);
  });

  it('tells absent from empty (RFC 9111 §4.1)', () => {
    expect(valuesOf({ 'x-a': '' }, ['x-a', 'x-b'])).toEqual(['', undefined]);
  });
});

describe('the name in Cache-Status (RFC 8941 §3.3)', () => {
  it.each([
    ['reports', 'reports'],
    ['my reports', '"my reports"'],
    ['1st', '"1st"'],
    ['a"b\\', '"a\\"b\\\\"'],
    ['bad\r\nname\u00e4', '"badname"'],
  ])('%j is %s', (name, printed) => {
    expect(printCacheName(name)).toBe(printed);
  });
});
