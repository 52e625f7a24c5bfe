// One event of each kind, as a cache tells them.
import type { CacheEvent, CacheEventKind } from '../../src/contract/events.js';

const key = 'report:5:user-7:abc';
const type = 'analytics';
const tags = ['student:7', 'student:*'];
const cost = { inputTokens: 100, outputTokens: 20, models: ['m'], money: 0.25, currency: 'EUR' };
const view = { view: 'class_stats' } as const;

export const EVERY_EVENT: { readonly [K in CacheEventKind]: Extract<CacheEvent, { kind: K }> } = {
  hit: { kind: 'hit', key, type, layer: 'redis', ageMs: 5, coalesced: false, durationMs: 2, avoidedMs: 4000 },
  staleHit: { kind: 'staleHit', key, type, layer: 'memory', ageMs: 5, durationMs: 1, avoidedMs: 1000 },
  miss: { kind: 'miss', key, type, reason: 'absent', durationMs: 3 },
  ran: { kind: 'ran', type, failed: false, durationMs: 1500 },
  spent: { kind: 'spent', type, cost },
  overdue: { kind: 'overdue', key, type, limit: 'soft', stale: true },
  refreshFailed: { kind: 'refreshFailed', key, type, error: 'TypeError' },
  bypass: { kind: 'bypass', type, reason: 'no-identity' },
  declined: { kind: 'declined', key, type, reason: 'set-cookie', durationMs: 1 },
  stored: { kind: 'stored', key, type, bytes: 5000, ttlMs: 1000, durationMs: 1 },
  notPersisted: { kind: 'notPersisted', key, type, reason: 'unproved' },
  compressed: { kind: 'compressed', key, type, coding: 'br', bytes: 700, durationMs: 12 },
  invalidate: { kind: 'invalidate', tags, cause: 'commit', epoch: 'e', seq: 9, durationMs: 2 },
  warming: {
    kind: 'warming',
    run: 1,
    way: 'all',
    state: 'ended',
    total: 5,
    cached: 4,
    computed: 3,
    failed: 1,
  },
  invalidateFailed: { kind: 'invalidateFailed', tags, cause: 'commit', attempt: 1, error: 'away' },
  layerFailed: { kind: 'layerFailed', layer: 'redis', operation: 'lookup', error: 'away' },
  breaker: { kind: 'breaker', layer: 'redis', state: 'open' },
  leaseAwaited: { kind: 'leaseAwaited', processes: 1 },
  markFailed: { kind: 'markFailed', tags, aborted: false, error: 'away' },
  released: { kind: 'released', tags, cause: 'commit', heldMs: 2000 },
  outboxFailed: { kind: 'outboxFailed', operation: 'write', error: 'away' },
  replicaLags: { kind: 'replicaLags', waitedMs: 100 },
  watermark: { kind: 'watermark', state: 'dead' },
  distrust: { kind: 'distrust', reason: 'gap' },
  cascadeFailed: { kind: 'cascadeFailed', entity: 'Grade', error: 'TypeError' },
  rawWrite: { kind: 'rawWrite', tables: ['grade'] },
  swept: { kind: 'swept', rows: 3, oldestMs: 40, durationMs: 5 },
  adopted: { kind: 'adopted', generation: 2, reason: 'new' },
  fenced: { kind: 'fenced', generation: 2 },
  setAside: { kind: 'setAside', ids: ['1'] },
  sweepFailed: { kind: 'sweepFailed', step: 'scan', error: 'away', failures: 1 },
  collapsed: { kind: 'collapsed', rows: 100_000 },
  viewRefreshed: { kind: 'viewRefreshed', ...view, concurrently: true, durationMs: 300 },
  viewFailed: { kind: 'viewFailed', ...view, step: 'look', error: 'QueryFailedError', failures: 1, retryMs: 1000 },
  version: { kind: 'version', type: 'lesson', change: 'served', version: 2 },
  managed: { kind: 'managed', user: '7', what: 'DELETE /', names: [], dryRun: false, outcome: 'done' },
  task: { kind: 'task', task: 'stale', state: 'done', attempt: 1, durationMs: 1500 },
  viewsFailed: { kind: 'viewsFailed', error: 'away', waiting: 1 },
  costsFailed: { kind: 'costsFailed', error: 'away', rows: 1, dropped: 0 },
  advice: { kind: 'advice', code: 'not-alone', message: 'One of several.' },
};
