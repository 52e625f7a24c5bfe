// Health in one look: every reason, and what it comes to.
import { describe, expect, it } from '@jest/globals';
import type { OutboxHealth } from '../../src/contract/outbox.js';
import type { BreakerState } from '../../src/core/breaker.js';
import { lookAtHealth, type HealthParts } from '../../src/core/health.js';

const outbox: OutboxHealth = {
  adoption: 'adopted',
  lastSuccess: 1,
  watermarkAgeMs: 2,
  waiting: 0,
  oldestMs: 0,
  poison: 0,
  failures: 0,
};
const well: HealthParts = {
  store: { position: () => ({ epoch: 'e', seq: 1 }) },
  breaker: () => 'closed',
  pending: 0,
  late: 0,
  outbox: undefined,
  views: [],
  closed: false,
};
const look = (parts: Partial<HealthParts>) => lookAtHealth({ ...well, ...parts });

describe('health()', () => {
  it('is ready where nothing is wrong, and says nothing of an outbox that is off', async () => {
    expect(await look({})).toEqual({ state: 'ready', reasons: [], pending: 0, late: 0 });
  });

  it('is degraded where the database of persisted reports is not asked', async () => {
    expect(await look({ database: 'closed' })).toMatchObject({ state: 'ready' });
    expect(await look({ database: 'open' })).toMatchObject({ state: 'degraded', reasons: ['database-failing'] });
  });

  it('shows the outbox, and what is being invalidated, without taking that for a fault', async () => {
    const found = await look({ outbox: { ...outbox, waiting: 3, oldestMs: 40 }, pending: 5 });
    expect(found).toEqual({
      state: 'ready',
      reasons: [],
      pending: 5,
      late: 0,
      outbox: { ...outbox, waiting: 3, oldestMs: 40 },
    });
  });

  it.each<[string, Partial<HealthParts>, string, string]>([
    [
      'the store throws',
      {
        store: {
          position: () => {
            throw new Error('away');
          },
        },
      },
      'down',
      'store-unreachable',
    ],
    [
      'the store rejects',
      { store: { position: () => Promise.reject(new Error('away')) } },
      'down',
      'store-unreachable',
    ],
    [
      'nobody vouches for it',
      { store: { position: () => Promise.resolve({ epoch: 'e', seq: 1, live: false }) } },
      'down',
      'watermark-dead',
    ],
    ['readers do not ask it', { breaker: () => 'open' }, 'down', 'breaker-open'],
    ['another Redis is the true one', { outbox: { ...outbox, adoption: 'fenced' } }, 'down', 'fenced'],
    ['Redis refuses invalidations', { late: 2 }, 'degraded', 'invalidations-late'],
    ['sweeps fail', { outbox: { ...outbox, failures: 1 } }, 'degraded', 'sweeps-failing'],
    ['rows were set aside', { outbox: { ...outbox, poison: 1 } }, 'degraded', 'rows-set-aside'],
    ['it is closed', { closed: true }, 'down', 'closed'],
  ])('%s', async (_name, parts, state, reason) => {
    expect(await look(parts)).toMatchObject({ state, reasons: [reason] });
  });

  it('asks before it looks at the breaker, which a good answer closes', async () => {
    let state: BreakerState = 'open';
    const store = { position: () => ((state = 'closed'), { epoch: 'e', seq: 1 }) };
    expect((await look({ store, breaker: () => state })).state).toBe('ready');
  });

  it('names all that is wrong', async () => {
    const parts = { late: 1, outbox: { ...outbox, failures: 2, poison: 3, adoption: 'fenced' as const } };
    const { state, reasons } = await look(parts);
    expect(state).toBe('down');
    expect(reasons).toEqual(['fenced', 'invalidations-late', 'sweeps-failing', 'rows-set-aside']);
  });

  it('a history that is not known to be alive, but need not be, is alive', async () => {
    const store = { position: () => Promise.resolve({ epoch: 'e', seq: 1, live: true }) };
    expect((await look({ store })).state).toBe('ready');
  });

  it('does not ask a closed store', async () => {
    const store = {
      position: () => {
        throw new Error('asked');
      },
    };
    expect((await look({ store, closed: true })).reasons).toEqual(['closed']);
  });
});
