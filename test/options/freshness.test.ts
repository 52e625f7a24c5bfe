// Options around the end of a ttl: what is merged over what, what is refused, and that getOrLoad takes them too.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { longestTtl } from '../../src/core/adaptive-ttl.js';
import { compose } from '../../src/create-report-cache.js';
import { createReportCache, type ReportCacheOptions, type RouteOptions } from '../../src/index.js';
import { DEFAULTS } from '../../src/options/defaults.js';
import { parseFreshness } from '../../src/options/freshness.js';
import { parseOptions } from '../../src/options/parse.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { root } from '../house/sources.js';

const identify = () => ({ user: 1 });

describe('the options around the end of a ttl', () => {
  it('are off by default, but for a little jitter', () => {
    expect(parseOptions({ identify }).types.get('default')).toMatchObject({
      freshness: { graceMs: 0, jitter: 0.1, refreshAhead: 0 },
      softTimeoutMs: 0,
      hardTimeoutMs: Infinity,
    });
  });

  it('are merged over those of the type, each by itself', () => {
    const type = parseFreshness(
      { grace: '5m', jitter: 0.2, refreshAhead: true, hardTimeout: '3s' },
      60_000,
      undefined,
      't',
    );
    expect(type.freshness).toEqual({ graceMs: 300_000, jitter: 0.2, refreshAhead: 1 });
    expect(parseFreshness({ grace: '0s', refreshAhead: 1.5, softTimeout: '1s' }, 60_000, type, 'r')).toEqual({
      freshness: { graceMs: 0, jitter: 0.2, refreshAhead: 1.5 },
      softTimeoutMs: 1000,
      restAfterErrorMs: 0,
      hardTimeoutMs: 3000,
    });
    expect(parseFreshness({ jitter: 0, refreshAhead: false }, 60_000, type, 'r').freshness).toEqual({
      graceMs: 300_000,
      jitter: 0,
      refreshAhead: 0,
    });
  });

  it('adaptiveTtl is off, true, or has bounds of its own, which the ttl lies between', () => {
    const parse = (options: object, base?: ReturnType<typeof parseFreshness>, ttlMs = 60_000) =>
      parseFreshness({ grace: '5m', ...options }, ttlMs, base, 't');
    const type = parse({ adaptiveTtl: { min: '30s', max: '1h' } });
    expect(type.freshness.adaptive).toEqual({ minMs: 30_000, maxMs: 3_600_000 });
    expect(parse({}).freshness).not.toHaveProperty('adaptive');
    expect(parse({ adaptiveTtl: true }).freshness.adaptive).toEqual({});
    expect(parse({}, type).freshness.adaptive).toEqual(type.freshness.adaptive);
    expect(parse({ adaptiveTtl: false }, type).freshness).not.toHaveProperty('adaptive');
    expect(parse({ adaptiveTtl: { max: '5m' } }, type).freshness.adaptive).toEqual({ maxMs: 300_000 });
    expect(() => parse({}, type, 20_000)).toThrow(/ERC_OPTION.*adaptiveTtl\.min/);
    expect(() => parse({ grace: '0s' }, type)).toThrow(/ERC_OPTION.*adaptiveTtl needs a grace/);
    // A route that is switched off needs no other change.
    expect(() => parse({ grace: '0s' }, type, 0)).not.toThrow();
  });

  it('the outbox keeps its tag table for the longest ttl that is possible', () => {
    expect([longestTtl(60_000, undefined), longestTtl(60_000, {}), longestTtl(60_000, { maxMs: 70_000 })]).toEqual([
      60_000, 240_000, 70_000,
    ]);
  });

  it.each([
    [{ adaptiveTtl: true }],
    [{ grace: '5m', adaptiveTtl: 2 }],
    [{ grace: '5m', adaptiveTtl: '10m' }],
    [{ grace: '5m', adaptiveTtl: { least: '1m' } }],
    [{ grace: '5m', adaptiveTtl: { min: 60 } }],
    [{ grace: '5m', adaptiveTtl: { min: '0s' } }],
    [{ grace: '5m', adaptiveTtl: { min: '1h' } }],
    [{ grace: '5m', adaptiveTtl: { max: '1s' } }],
    [{ grace: 300 }],
    [{ jitter: 0.6 }],
    [{ jitter: -0.1 }],
    [{ jitter: NaN }],
    [{ jitter: '10%' }],
    [{ refreshAhead: 11 }],
    [{ refreshAhead: 'yes' }],
    [{ softTimeout: 100 }],
    [{ hardTimeout: '0s' }],
  ])('%j is refused', (options) => {
    expect(() => createReportCache({ identify, types: { t: options } } as unknown as ReportCacheOptions)).toThrow(
      /ERC_OPTION.*types\.t\./,
    );
  });

  it.each(['softTimeout', 'hardTimeout'])('a route has no %s: a handler cannot be given up', (name) => {
    const options = { [name]: '1s' } as RouteOptions;
    expect(() => createReportCache({ identify }).cache('default', options)).toThrow(/ERC_OPTION.*Timeout/);
  });

  it('getOrLoad takes them for one value', async () => {
    const clock = new FakeClock();
    const reports = compose({ identify, types: { default: { ttl: '1m', jitter: 0 } } }, clock);
    const value = { type: 'default', report: 'r', identity: { user: 1 }, grace: '5m' } as const;
    await reports.getOrLoad(value, () => 'old');
    clock.advance(60_000);
    expect(await reports.getOrLoad(value, () => 'new')).toBe('old');
    await expect(reports.getOrLoad({ ...value, hardTimeout: '0s' }, () => 'new')).rejects.toThrow(/ERC_OPTION/);
    await reports.close();
  });

  it('getOrLoad takes adaptiveTtl, and compares values', async () => {
    const clock = new FakeClock();
    const ttls: number[] = [];
    const reports = compose(
      {
        identify,
        types: { default: { ttl: '1m', jitter: 0, grace: '5m', adaptiveTtl: true } },
        onEvent: (event) => void (event.kind === 'stored' && ttls.push(event.ttlMs)),
      },
      clock,
    );
    const value = { type: 'default', report: 'r', identity: { user: 1 } } as const;
    for (const grade of [1, 1, 1, 2, 2]) {
      await reports.getOrLoad(value, () => ({ grade }));
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(ttls.at(-1) ?? 0);
    }
    expect(ttls).toEqual([60_000, 60_000, 120_000, 240_000, 120_000]);
    await reports.close();
  });

  it('close() waits for loaders in the background', async () => {
    const clock = new FakeClock();
    const reports = compose({ identify, types: { default: { ttl: '1m', jitter: 0, grace: '5m' } } }, clock);
    const value = { type: 'default', report: 'r', identity: { user: 1 } } as const;
    await reports.getOrLoad(value, () => 'old');
    clock.advance(60_000);
    let give: (value: string) => void = () => undefined;
    await reports.getOrLoad(value, () => new Promise<string>((resolve) => (give = resolve)));
    let closed = false;
    const closing = reports.close().then(() => (closed = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(false);
    give('late');
    await closing;
  });

  it('stand in the README with their defaults', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const shown = (value: unknown) => (typeof value === 'string' ? `\`'${value}'\`` : `\`${String(value)}\``);
    for (const name of ['grace', 'refreshAhead', 'jitter', 'adaptiveTtl', 'softTimeout'] as const)
      expect(readme).toMatch(new RegExp(`^\\| \`${name}\` +\\| ${shown(DEFAULTS[name])} `, 'm'));
  });
});
