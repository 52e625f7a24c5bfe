// Due times: patterns in time zones, in the hour that spring leaves out and the one that autumn repeats; retries; results.
import { describe, expect, it } from '@jest/globals';
import { timetableOf } from '../../src/scheduler/cron.js';
import { kept, MOST_BYTES } from '../../src/scheduler/result.js';
import { retryAfter } from '../../src/scheduler/retry.js';

const at = (text: string) => Date.parse(text);

function dueBetween(cron: string, timezone: string, from: string, to: string): string[] {
  const { next } = timetableOf(cron, timezone);
  const due: string[] = [];
  for (let now = next(at(from)); now !== undefined && now < at(to); now = next(now))
    due.push(new Date(now).toISOString().slice(0, 16));
  return due;
}

describe('due times', () => {
  it('in spring what lies in the missing hour is due right after it, once', () => {
    expect(dueBetween('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00Z', '2026-03-31T00:00Z')).toEqual([
      '2026-03-28T01:30',
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
  });

  it('in autumn a time of day in the repeated hour is due once, and every half hour goes on', () => {
    expect(dueBetween('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', '2026-10-27T00:00Z')).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
    expect(dueBetween('*/30 * * * *', 'Europe/Berlin', '2026-10-24T23:45Z', '2026-10-25T02:15Z')).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T00:30',
      '2026-10-25T01:00',
      '2026-10-25T01:30',
      '2026-10-25T02:00',
    ]);
  });

  it.each(['30 2 * * *', '*/30 * * * *', '0 7 * * *'])(
    '%s: the latest is the one before the next, all year',
    (cron) => {
      const { next, latest } = timetableOf(cron, 'Europe/Berlin');
      for (let day = at('2026-03-27T00:10Z'); day < at('2026-10-28T00:00Z'); day += 7.3 * 3_600_000) {
        const due = next(day)!;
        expect(latest(due)).toBe(due);
        expect(latest(due - 1)!).toBeLessThanOrEqual(day);
        expect(next(latest(day)!)).toBe(due);
      }
    },
  );

  it('are counted between two moments, both excluded, up to a bound', () => {
    const { between } = timetableOf('* * * * *', 'UTC');
    expect(between(at('2026-01-01T00:00Z'), at('2026-01-01T00:10Z'), 1000)).toBe(9);
    expect(between(at('2026-01-01T00:00Z'), at('2026-01-02T00:00Z'), 50)).toBe(50);
  });

  it.each([
    ['61 * * * *', 'UTC'],
    ['', 'UTC'],
    ['0 7 * * *', 'Mars/Olympus'],
  ])('%p in %s is refused', (cron, timezone) => {
    expect(() => timetableOf(cron, timezone)).toThrow();
  });
});

describe('retries', () => {
  const policy = { retries: 4, firstMs: 1000, longestMs: 5000 };

  it('wait up to twice as long each time, up to a bound, and end', () => {
    const most = (attempt: number) => retryAfter(attempt, policy, () => 0.9999);
    expect([1, 2, 3, 4, 5].map(most)).toEqual([999, 1999, 3999, 4999, undefined]);
  });

  it('wait by chance, down to nothing', () => {
    expect(retryAfter(3, policy, () => 0)).toBe(0);
    expect(retryAfter(3, policy, () => 0.25)).toBe(1000);
  });
});

describe('results', () => {
  it('are kept as plain data, as long as they are short', () => {
    expect(kept({ at: new Date(0), none: undefined })).toEqual({ at: '1970-01-01T00:00:00.000Z' });
    expect(kept(undefined)).toBeUndefined();
    expect(kept('x'.repeat(MOST_BYTES - 2))).toBe('x'.repeat(MOST_BYTES - 2));
    expect(kept('ü'.repeat(MOST_BYTES / 2))).toEqual({ omitted: MOST_BYTES + 2 });
    expect(kept(1n)).toEqual({ omitted: 'no JSON' });
  });
});
