// The metrics as Prometheus reads them: the format, what each event becomes, and that no series grows with what clients send.
import { afterEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import client from 'prom-client';
import request from 'supertest';
import type { CacheEvent } from '../../src/contract/events.js';
import type { Observed } from '../../src/contract/observer.js';
import { createReportCache, tag, type ReportCache } from '../../src/index.js';
import { METRICS, prometheusName, type MetricId } from '../../src/metrics/catalogue.js';
import { prometheusMetrics } from '../../src/prometheus.js';
import { EVERY_EVENT } from './every-event.js';
import { promtool, readExposition, type Family } from './exposition.js';

const closing: ReportCache[] = [];
afterEach(async () => {
  for (const reports of closing.splice(0)) await reports.close();
});

const cacheOf = (over: Partial<Observed> = {}): Observed => ({
  isType: (name) => name === 'analytics',
  health: async () => ({
    state: 'degraded',
    reasons: ['sweeps-failing'],
    pending: 4,
    late: 2,
    outbox: {
      adoption: 'adopted',
      lastSuccess: 1,
      watermarkAgeMs: 700,
      waiting: 3,
      oldestMs: 40,
      poison: 0,
      failures: 6,
    },
  }),
  memory: () => ({ entries: 2, bytes: 3000, maxBytes: 1 << 20 }),
  ...over,
});

function watching(cache = cacheOf()) {
  const register = new client.Registry();
  const observer = prometheusMetrics(client, { register });
  observer.attach?.(cache);
  const hear = (...events: CacheEvent[]) => events.forEach((event) => observer.hear(event));
  const families = async () => readExposition(await register.metrics());
  /** Each series of a metric with its value, without buckets. */
  const series = async (id: MetricId) => {
    const name = prometheusName(METRICS[id]);
    const found = (await families()).find((family) => family.name === name);
    return Object.fromEntries(
      (found?.samples ?? [])
        .filter((sample) => !sample.name.endsWith('_bucket'))
        .map((sample) => [
          [sample.name.replace(name, ''), ...Object.values(sample.labels)].join(' ').trim(),
          sample.value,
        ]),
    );
  };
  return { register, hear, families, series };
}

describe('the exposition', () => {
  it('is in the format, after every kind of event, and has every metric', async () => {
    const { register, hear, families } = watching();
    hear(...Object.values(EVERY_EVENT));
    const found = await families();
    expect(found.map(({ name }) => name).sort()).toEqual(Object.values(METRICS).map(prometheusName).sort());
    expect(found.filter(({ samples }) => samples.length === 0)).toEqual([]);
    expect(promtool(await register.metrics()) ?? '').toBe('');
  });

  it.each([
    ['no end of the last line', '# HELP a_total A.\n# TYPE a_total counter\na_total 1'],
    ['no type', '# HELP a_total A.\na_total 1\n'],
    ['another name', '# HELP a_total A.\n# TYPE a_total counter\nb_total 1\n'],
    ['a quote in a label', '# HELP a_total A.\n# TYPE a_total counter\na_total{x="a"b"} 1\n'],
    ['one series twice', '# HELP a A.\n# TYPE a gauge\na{x="1"} 1\na{x="1"} 2\n'],
    ['a counter that fell below zero', '# HELP a_total A.\n# TYPE a_total counter\na_total -1\n'],
    [
      'buckets that shrink',
      '# HELP a A.\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    ],
  ])('would be refused for %s', (_what, text) => {
    expect(() => readExposition(text)).toThrow(/text format|last line/);
  });
});

describe('what events become', () => {
  const heard: [MetricId, Record<string, number>][] = [
    [
      'reads',
      { 'analytics redis hit': 1, 'analytics memory stale': 1, 'analytics none miss': 1, 'analytics none bypass': 1 },
    ],
    ['misses', { 'analytics absent': 1 }],
    ['bypasses', { 'analytics no-identity': 1 }],
    ['declines', { 'analytics set-cookie': 1 }],
    ['computeDuration', { '_sum analytics ok': 1.5, '_count analytics ok': 1 }],
    ['computeAvoided', { analytics: 5 }],
    ['storedSize', { '_sum analytics': 5000, '_count analytics': 1 }],
    ['compressDuration', { '_sum br': 0.012, '_count br': 1 }],
    ['tokens', { 'analytics input': 100, 'analytics output': 20 }],
    ['money', { 'analytics EUR': 0.25 }],
    ['overdue', { 'analytics soft': 1 }],
    ['refreshFailures', { analytics: 1 }],
    ['invalidationDuration', { '_sum commit': 0.002, '_count commit': 1 }],
    ['invalidatedTags', { commit: 2 }],
    ['invalidationFailures', { commit: 1 }],
    ['writersReleased', { commit: 1 }],
    ['sweptRows', { '': 3 }],
    ['sweepLag', { _sum: 0.04, _count: 1 }],
    ['viewRefreshDuration', { _sum: 0.3, _count: 1 }],
    ['taskRuns', { 'stale done': 1 }],
    ['taskDuration', { '_sum stale done': 1.5, '_count stale done': 1 }],
    ['warmedReports', { 'all already': 1, 'all computed': 3, 'all failed': 1 }],
    ['warmRuns', { 'all done': 1 }],
    ['layerErrors', { 'redis lookup': 1 }],
    ['breakerState', { redis: 2, database: 0 }],
  ];

  it.each(heard)('%s', async (id, expected) => {
    const { hear, series } = watching();
    hear(...Object.values(EVERY_EVENT));
    expect(await series(id)).toEqual(expected);
  });

  it('a hit that was computed for somebody else meanwhile', async () => {
    const { hear, series } = watching();
    hear({ ...EVERY_EVENT.hit, coalesced: true });
    expect(await series('reads')).toEqual({ 'analytics redis coalesced': 1 });
    expect(await series('readDuration')).toEqual({
      '_sum analytics redis coalesced': 0.002,
      '_count analytics redis coalesced': 1,
    });
  });

  it('a run of warming counts once, when it ends, and by what has stopped it', async () => {
    const { hear, series } = watching();
    const { warming } = EVERY_EVENT;
    hear({ ...warming, state: 'begun', cached: 0, computed: 0, failed: 0 }, { ...warming, state: 'progress' });
    expect([await series('warmedReports'), await series('warmRuns')]).toEqual([{}, {}]);
    hear({ ...warming, way: 'learned', stopped: 'budget' });
    expect(await series('warmRuns')).toEqual({ 'learned budget': 1 });
    expect(await series('warmedReports')).toMatchObject({ 'learned computed': 3 });
  });

  it('counts every other kind by its name', async () => {
    const { hear, series } = watching();
    hear(...Object.values(EVERY_EVENT));
    expect(Object.keys(await series('events')).sort()).toEqual(
      [
        'adopted',
        'advice',
        'cascadeFailed',
        'collapsed',
        'costsFailed',
        'distrust',
        'fenced',
        'leaseAwaited',
        'managed',
        'markFailed',
        'notPersisted',
        'outboxFailed',
        'rawWrite',
        'replicaLags',
        'setAside',
        'sweepFailed',
        'version',
        'viewFailed',
        'viewsFailed',
        'watermark',
      ].sort(),
    );
  });
});

describe('labels', () => {
  it('say `other` for whatever is not declared: no key, user, word or error makes a series', async () => {
    const { hear, families } = watching();
    const count = (all: readonly Family[]) => all.flatMap(({ samples }) => samples).length;
    const strange = (word: string): CacheEvent[] => [
      { ...EVERY_EVENT.hit, type: word, key: word },
      { ...EVERY_EVENT.miss, type: word, reason: word },
      { ...EVERY_EVENT.bypass, type: word, detail: word },
      { ...EVERY_EVENT.invalidate, cause: word, tags: [word] },
      { ...EVERY_EVENT.invalidateFailed, cause: word, error: word },
      { ...EVERY_EVENT.released, cause: word },
      { ...EVERY_EVENT.layerFailed, operation: word, error: word },
      { ...EVERY_EVENT.cascadeFailed, entity: word },
      { ...EVERY_EVENT.warming, name: word },
    ];
    hear(...strange('first'));
    const few = count(await families());
    for (let n = 0; n < 100; n += 1) hear(...strange(`person-${n}`));
    expect(count(await families())).toBe(few);
    expect(JSON.stringify(await families())).not.toContain('person');
  });
});

describe('gauges', () => {
  it('show health and memory as they are at the scrape, asked for once', async () => {
    let looks = 0;
    const { register, series } = watching(
      cacheOf({
        health: () => {
          looks += 1;
          return cacheOf().health();
        },
      }),
    );
    await register.metrics();
    expect(looks).toBe(1);
    expect(await series('up')).toEqual({ '': 1 });
    expect(await series('problem')).toMatchObject({ 'sweeps-failing': 1, 'store-unreachable': 0, closed: 0 });
    expect(await series('pendingTags')).toEqual({ '': 4 });
    expect(await series('lateTags')).toEqual({ '': 2 });
    expect(await series('outboxRows')).toEqual({ '': 3 });
    expect(await series('outboxOldest')).toEqual({ '': 0.04 });
    expect(await series('watermarkAge')).toEqual({ '': 0.7 });
    expect(await series('sweepFailures')).toEqual({ '': 6 });
    expect(await series('memoryEntries')).toEqual({ '': 2 });
    expect(await series('memoryUsed')).toEqual({ '': 3000 });
    expect(await series('memoryLimit')).toEqual({ '': 1 << 20 });
  });

  it('show nothing of an outbox that is not there, rather than zero', async () => {
    const health = async () => ({ state: 'down', reasons: ['closed'], pending: 0, late: 0 }) as const;
    const { series } = watching(cacheOf({ health }));
    expect([await series('outboxRows'), await series('watermarkAge')]).toEqual([{}, {}]);
    expect([await series('up'), await series('pendingTags')]).toEqual([{ '': 0 }, { '': 0 }]);
  });
});

describe('a cache with metrics', () => {
  it('tells of its own requests, types, resources and memory', async () => {
    const register = new client.Registry();
    const reports = createReportCache({
      identify: () => ({ user: 7 }),
      observers: [prometheusMetrics(client, { register })],
    });
    closing.push(reports);
    const courses = reports.resources<{ courses: number[] }>({ courses: { load: async () => [1] } });
    const app = express();
    app.get('/', reports.cache('analytics', { tags: () => [tag('class', 1)] }), (_req, res) => void res.json([1]));
    for (let n = 0; n < 3; n += 1) await request(app).get('/');
    await courses.get('courses', 1);
    await reports.invalidate(tag('class', 1), 'the words of an application');
    const text = await register.metrics();
    const lines = text.split('\n');
    expect(lines).toContain('report_cache_reads_total{type="analytics",layer="none",result="miss"} 1');
    expect(lines).toContain('report_cache_reads_total{type="analytics",layer="memory",result="hit"} 2');
    expect(lines).toContain('report_cache_reads_total{type="courses",layer="none",result="miss"} 1');
    expect(lines).toContain('report_cache_invalidated_tags_total{cause="other"} 1');
    expect(lines).toContain('report_cache_up 1');
    expect(lines).toContain('report_cache_memory_entries 2');
    expect(promtool(text) ?? '').toBe('');
  });

  it('has them to itself', () => {
    const metrics = prometheusMetrics(client, { register: new client.Registry() });
    const make = () => createReportCache({ identify: () => null, observers: [metrics] });
    closing.push(make());
    expect(make).toThrow(/those of one cache/);
  });
});
