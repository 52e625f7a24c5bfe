// What a reader would get, from what is known: every case by table.
import { describe, expect, it } from '@jest/globals';
import { judge, latestOf } from '../../src/admin/judge.js';
import { verdictOf, type Facts } from '../../src/admin/verdict.js';
import type { EntryAt } from '../../src/contract/look.js';

const NOW = 10_000;
const KEY = 'report:1:7:x';

const table = (seqs: Record<string, number> = {}, floor = 0, epoch = 'e') => ({
  epoch,
  seq: 9,
  floor,
  seqs: new Map(Object.entries(seqs)),
});
const at = (layer: EntryAt['layer'], changes: Partial<EntryAt['entry']> = {}): EntryAt => ({
  layer,
  bytes: 10,
  entry: {
    status: 200,
    headers: [],
    etag: '',
    type: 'custom',
    owner: '7',
    createdAt: NOW - 100,
    staleAt: NOW + 1000,
    deleteAt: NOW + 2000,
    computeMs: 5,
    tags: ['student:1', 'report:1'],
    epoch: 'e',
    asOf: 5,
    ...changes,
  },
});
const facts = (changes: Partial<Facts> = {}): Facts => ({
  key: KEY,
  found: [],
  table: table(),
  flux: false,
  pending: false,
  tags: ['report:1'],
  ...changes,
});
const old = { staleAt: NOW - 1 };
const over = { staleAt: NOW - 20, deleteAt: NOW };

describe('a reader gets', () => {
  it.each<[string, Partial<Facts>, object]>([
    ['what is in memory', { found: [at('memory'), at('redis')] }, { verdict: 'hit', reason: 'fresh', layer: 'memory' }],
    ['what is in Redis', { found: [at('redis')] }, { verdict: 'hit', layer: 'redis' }],
    [
      'what is in Redis where memory has an old one',
      { found: [at('memory', { asOf: 1 }), at('redis')], table: table({ 'student:1': 3 }) },
      { verdict: 'hit', layer: 'redis' },
    ],
    [
      'what the database alone has',
      { found: [at('database', { epoch: 'd', asOf: 0 })] },
      { verdict: 'hit', layer: 'database' },
    ],
    [
      'what the database has while Redis is away',
      { found: [at('database')], unavailable: 'away', table: undefined },
      { verdict: 'hit', layer: 'database' },
    ],
    [
      'an old one within its grace',
      { found: [at('redis', old)] },
      { verdict: 'stale', reason: 'stale', layer: 'redis' },
    ],
    [
      'an old one, but not past the grace of the route',
      { found: [at('redis', { staleAt: NOW - 50 })], graceMs: 50 },
      { verdict: 'miss', reason: 'expired' },
    ],
    ['nothing past its end', { found: [at('redis', over)] }, { verdict: 'miss', reason: 'expired', layer: 'redis' }],
    ['nothing that is not there', {}, { verdict: 'miss', reason: 'absent' }],
    [
      'nothing of another history',
      { found: [at('redis', { epoch: 'gone' })] },
      { verdict: 'miss', reason: 'epoch', layer: 'redis' },
    ],
    [
      'nothing with a tag that was invalidated since, by the last of them',
      { found: [at('redis')], table: table({ 'student:1': 7, 'report:1': 6 }) },
      { verdict: 'miss', reason: 'invalidated', layer: 'redis', by: { tag: 'student:1', seq: 7 } },
    ],
    [
      'nothing whose key was invalidated',
      { found: [at('redis')], table: table({ [`key:${KEY}`]: 6 }) },
      { reason: 'invalidated', by: { tag: `key:${KEY}`, seq: 6 } },
    ],
    [
      'nothing from before everything was',
      { found: [at('redis')], table: table({}, 6) },
      { reason: 'invalidated', by: { tag: '*', seq: 6 } },
    ],
    [
      'what was invalidated before it was computed',
      { found: [at('redis')], table: table({ 'student:1': 5 }, 5) },
      { verdict: 'hit' },
    ],
    [
      'nothing that a write is about to change',
      { found: [at('redis')], flux: true },
      { verdict: 'bypass', reason: 'flux' },
    ],
    ['an answer that is not there, whatever is being written', { flux: true }, { verdict: 'miss', reason: 'absent' }],
    [
      'nothing that this process is still invalidating',
      { found: [at('memory')], pending: true },
      { verdict: 'miss', reason: 'pending' },
    ],
    [
      'nothing while nobody can tell',
      { found: [at('memory')], unavailable: 'away', table: undefined },
      { verdict: 'bypass', reason: 'unavailable', detail: expect.stringContaining('away') },
    ],
    [
      'nothing of a type that is off',
      { found: [at('memory')], bypass: { reason: 'ttl-zero' } },
      { verdict: 'bypass', reason: 'ttl-zero' },
    ],
    [
      'nothing without an identity',
      { bypass: { reason: 'no-identity' } },
      { verdict: 'bypass', reason: 'no-identity' },
    ],
    [
      'what the database would not serve',
      { database: 'invalidated' },
      { verdict: 'miss', reason: 'invalidated', layer: 'database' },
    ],
    [
      'of one that is not there, the last that would have ended it',
      { table: table({ 'report:1': 8 }) },
      { reason: 'absent', by: { tag: 'report:1', seq: 8 } },
    ],
  ])('%s', (_case, changes, expected) => {
    expect(verdictOf(facts(changes), NOW)).toMatchObject({ detail: expect.stringMatching(/\w/), ...expected });
  });

  it('fresh until the very millisecond', () => {
    expect(verdictOf(facts({ found: [at('redis', { staleAt: NOW + 1 })] }), NOW).verdict).toBe('hit');
    expect(verdictOf(facts({ found: [at('redis', { staleAt: NOW })] }), NOW).verdict).toBe('stale');
  });
});

describe('a table', () => {
  it('knows of no invalidation where there was none', () => {
    expect(latestOf(['a:1'], table())).toBeUndefined();
    expect(judge(KEY, { epoch: 'e', asOf: 0, tags: ['a:1'] }, table())).toEqual({ state: 'valid' });
  });
});
