// In whose request something happens: which ids are taken, which events carry one, and whose a late invalidation is.
import { describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { Correlation, safeId } from '../../src/core/correlation.js';
import { createEventLog } from '../../src/core/event-log.js';
import { Invalidations } from '../../src/core/invalidations.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';
import { plainWriters } from '../support/plain-writers.js';
import { tick } from './set-up.js';

describe('an id', () => {
  it.each([
    ['0b1f-4a', '0b1f-4a'],
    ['Root=1-67891233-abcdef012345678912345678', 'Root=1-67891233-abcdef012345678912345678'],
    [7, '7'],
    ['x'.repeat(64), 'x'.repeat(64)],
  ])('%p is taken', (given, id) => {
    expect(safeId(given)).toBe(id);
  });

  it.each(['', 'x'.repeat(65), 'a\nb', 'a b', 'someone@example.org', '<script>', '{"a":1}', 1.5, NaN, null, {}, ['a']])(
    '%p is none',
    (given) => {
      expect(safeId(given)).toBeUndefined();
    },
  );
});

function setUp() {
  const clock = new FakeClock();
  const client = new SharedHub(clock).client();
  const correlation = new Correlation();
  const events: CacheEvent[] = [];
  const emit = createEventLog(undefined, (event) => void events.push(event), { correlation });
  const options = { ...plainWriters(), onError: 'answer', correlation } as const;
  const invalidations = new Invalidations(client, undefined, options, clock, emit);
  const told = (kind: CacheEvent['kind']) =>
    events.filter((event) => event.kind === kind).map(({ correlationId }) => correlationId);
  return { clock, client, correlation, emit, events, invalidations, told };
}

describe('events', () => {
  it('of a request carry its id, and others carry none, in whatever context they are told', () => {
    const { correlation, emit, events } = setUp();
    correlation.run('r-1', () => {
      emit({ kind: 'miss', key: 'k', type: 't', reason: 'absent', durationMs: 1 });
      emit({ kind: 'distrust', reason: 'gap' });
      correlation.run(undefined, () => emit({ kind: 'bypass', type: 't', reason: 'key' }));
    });
    emit({ kind: 'bypass', type: 't', reason: 'key' });
    expect(events.map(({ kind, correlationId }) => [kind, correlationId])).toEqual([
      ['miss', 'r-1'],
      ['distrust', undefined],
      ['bypass', undefined],
      ['bypass', undefined],
    ]);
  });
});

describe('an invalidation that the store takes late', () => {
  it('carries the id of the request that wrote', async () => {
    const { clock, client, correlation, invalidations, told } = setUp();
    client.broken = true;
    await correlation.run('w-1', () => invalidations.invalidate(['student:1'], 'commit'));
    client.broken = false;
    clock.advance(20);
    await tick();
    expect([told('invalidateFailed'), told('released'), told('invalidate')]).toEqual([['w-1'], ['w-1'], ['w-1']]);
  });

  it('carries none where several wrote, and the id of the next who is alone again', async () => {
    const { clock, client, correlation, invalidations, told } = setUp();
    client.broken = true;
    for (const id of ['w-1', 'w-2', 'w-2'])
      await correlation.run(id, () => invalidations.invalidate([`student:${id}`], 'commit'));
    client.broken = false;
    clock.advance(20);
    await tick();
    expect(told('invalidate')).toEqual([undefined]);
    client.broken = true;
    await correlation.run('w-3', () => invalidations.invalidate(['student:3'], 'commit'));
    client.broken = false;
    clock.advance(20);
    await tick();
    expect(told('invalidate')).toEqual([undefined, 'w-3']);
  });
});

describe('observers', () => {
  it('hear what they want, and what throws keeps nobody else from hearing', () => {
    const heard: string[] = [];
    const listeners = [
      { kinds: new Set(['miss'] as const), hear: ({ kind }: CacheEvent) => heard.push(`first ${kind}`) },
      {
        hear: () => {
          throw new Error('observer');
        },
      },
      { kinds: new Set(['bypass'] as const), hear: ({ kind }: CacheEvent) => heard.push(`third ${kind}`) },
    ];
    const log = { debug: () => heard.push('log'), info: () => 0, warn: () => 0, error: () => 0 };
    const emit = createEventLog(
      log,
      () => {
        throw new Error('listener');
      },
      { observers: listeners },
    );
    emit({ kind: 'miss', key: 'k', type: 't', reason: 'absent', durationMs: 1 });
    expect(heard).toEqual(['first miss', 'log']);
  });

  it('who want other kinds do not have a hit put into words', () => {
    const observers = [{ kinds: new Set(['invalidate'] as const), hear: () => undefined }];
    const { hears } = createEventLog(undefined, undefined, { observers });
    expect([hears?.('hit'), hears?.('invalidate')]).toEqual([false, true]);
  });
});
