// The ledger: what is counted where, on which day, and what becomes of counts that the table does not take.
import { describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import type { CountRow } from '../../src/costs/counts.js';
import { summarizeCosts } from '../../src/costs/days.js';
import { Ledger, type CostTable } from '../../src/costs/ledger.js';
import { FakeClock } from '../fakes/fake-clock.js';

const DAY = 86_400_000;
const cost = { inputTokens: 1000, outputTokens: 500, models: ['small'], money: 0.000_45, currency: 'USD' };
const hit = (more: Partial<CacheEvent & { kind: 'hit' }> = {}): CacheEvent => ({
  kind: 'hit',
  key: 'k',
  type: 'insight',
  layer: 'memory',
  ageMs: 5,
  coalesced: false,
  durationMs: 0.25,
  avoidedMs: 4000,
  cost,
  ...more,
});
const ran = (failed = false): CacheEvent => ({ kind: 'ran', type: 'insight', failed, durationMs: 4000 });
const spent: CacheEvent = { kind: 'spent', type: 'insight', cost };

/** A table of ours in the hands of the test: it may refuse, and be slow. */
class HeldTable implements CostTable {
  readonly rows: CountRow[] = [];
  refuses = false;
  gate: Promise<void> = Promise.resolve();

  async add(rows: readonly CountRow[]): Promise<void> {
    await this.gate;
    if (this.refuses) throw Object.assign(new Error('of Ann Lee'), { code: '57P01' });
    this.rows.push(...rows);
  }

  async read(from: string, to: string): Promise<CountRow[]> {
    return this.rows.filter(({ day }) => day >= from && day <= to);
  }
}

function setUp() {
  const clock = new FakeClock();
  const events: CacheEvent[] = [];
  const ledger = new Ledger({ currency: 'USD', flushMs: 10_000, clock, emit: (event) => events.push(event) });
  const days = (from = '2026-01-01', to = '2026-12-31') => ledger.days(from, to);
  return { clock, events, ledger, days, table: new HeldTable() };
}
const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('three ledgers', () => {
  it('what was spent, what was avoided by whom, and what hits cost themselves are not mixed', async () => {
    const { ledger, days } = setUp();
    for (const event of [spent, ran(), spent, ran(true)]) ledger.hear(event);
    for (const event of [hit(), hit({ layer: 'redis', durationMs: 1 }), hit({ coalesced: true, durationMs: 3000 })])
      ledger.hear(event);
    ledger.hear({
      kind: 'staleHit',
      key: 'k',
      type: 'insight',
      layer: 'memory',
      ageMs: 1,
      durationMs: 0.25,
      avoidedMs: 1,
    });
    const once = { times: 1, inputTokens: 1000, outputTokens: 500, money: 0.000_45, ms: 4000 };
    const none = { times: 0, inputTokens: 0, outputTokens: 0, money: 0, ms: 0 };
    const [day, ...others] = await days();
    expect(others).toEqual([]);
    expect(day).toEqual({
      day: '2026-01-05',
      type: 'insight',
      currency: 'USD',
      spent: { runs: 2, failed: 1, inputTokens: 2000, outputTokens: 1000, money: 0.000_9, ms: 8000 },
      avoided: { memory: { ...once, times: 2, ms: 4001 }, redis: once, database: none, joined: once },
      hits: { times: 3, ms: 1.5 },
    });
  });

  it('a day ends at midnight UTC', async () => {
    const { clock, ledger, days } = setUp();
    clock.advance(16 * 3_600_000 - 1);
    ledger.hear(ran());
    clock.advance(1);
    ledger.hear(ran());
    clock.advance(DAY - 1);
    ledger.hear(ran());
    expect((await days()).map(({ day, spent: { runs } }) => [day, runs])).toEqual([
      ['2026-01-05', 1],
      ['2026-01-06', 2],
    ]);
    expect(await days('2026-01-06', '2026-01-06')).toHaveLength(1);
  });

  it('rates follow from the sums, and are 0 where there was nothing', async () => {
    const { ledger, days } = setUp();
    for (const event of [spent, ran(), ran(true), hit(), hit(), hit({ coalesced: true })]) ledger.hear(event);
    expect(summarizeCosts(await days())).toEqual({
      generated: 1,
      failed: 1,
      served: 3,
      hits: 2,
      joined: 1,
      tokensUsed: 1500,
      tokensSaved: 4500,
      msUsed: 8000,
      msSaved: 12_000,
      money: { USD: { used: 0.000_45, saved: 0.001_35 } },
      hitRate: 0.6,
      failureRate: 0.5,
      efficiency: 0.75,
      tokensPerRun: 750,
      msPerRun: 4000,
      msPerHit: 0.25,
    });
    expect(summarizeCosts([])).toMatchObject({ hitRate: 0, failureRate: 0, efficiency: 0, msPerHit: 0, money: {} });
  });

  it('money of an older price list in another currency stands apart', async () => {
    const { ledger, days } = setUp();
    ledger.hear(hit({ cost: { ...cost, currency: 'EUR' } }));
    ledger.hear(hit());
    expect(summarizeCosts(await days()).money).toEqual({
      EUR: { used: 0, saved: 0.000_45 },
      USD: { used: 0, saved: 0.000_45 },
    });
  });
});

describe('the table', () => {
  it('gets once in an interval what was counted, added up, and only what is new', async () => {
    const { clock, ledger, table } = setUp();
    ledger.hear(ran());
    ledger.connect(table);
    ledger.hear(ran());
    clock.advance(9999);
    await tick();
    expect(table.rows).toEqual([]);
    clock.advance(1);
    await tick();
    expect(table.rows).toMatchObject([{ source: 'run', times: 2 }]);
    ledger.hear(ran());
    clock.advance(10_000);
    await tick();
    expect(table.rows).toMatchObject([{ times: 2 }, { times: 1 }]);
    clock.advance(10_000);
    await tick();
    expect(table.rows).toHaveLength(2);
  });

  it('FAULT refuses: the counts are kept, told without what the database says, and added later', async () => {
    const { clock, events, ledger, table, days } = setUp();
    ledger.connect(table);
    table.refuses = true;
    ledger.hear(ran());
    clock.advance(10_000);
    await tick();
    expect(events).toEqual([{ kind: 'costsFailed', error: 'Error 57P01', rows: 1, dropped: 0 }]);
    ledger.hear(ran());
    expect(await days()).toMatchObject([{ spent: { runs: 2 } }]);
    table.refuses = false;
    clock.advance(10_000);
    await tick();
    expect(table.rows).toMatchObject([{ times: 2 }]);
  });

  it('RACE a reading waits for the flush under way, whose counts are nowhere else; nothing is counted twice', async () => {
    const { clock, ledger, table, days } = setUp();
    let open: () => void = () => undefined;
    table.gate = new Promise((resolve) => (open = resolve));
    ledger.connect(table);
    ledger.hear(ran());
    clock.advance(10_000);
    await tick();
    const read = days();
    open();
    expect(await read).toMatchObject([{ spent: { runs: 1 } }]);
    ledger.hear(ran());
    expect(await days()).toMatchObject([{ spent: { runs: 2 } }]);
    expect(table.rows.map(({ times }) => times)).toEqual([1, 1]);
  });

  it('gets the rest when it is left, and nothing after that', async () => {
    const { clock, ledger, table } = setUp();
    ledger.connect(table);
    ledger.hear(ran());
    await ledger.disconnect();
    expect(table.rows).toHaveLength(1);
    ledger.hear(ran());
    clock.advance(60_000);
    await tick();
    expect(table.rows).toHaveLength(1);
    expect(clock.waiting).toBe(0);
  });

  it('FAULT does not answer for months: the oldest days go first, and that is told', async () => {
    const { clock, events, ledger, table } = setUp();
    ledger.connect(table);
    table.refuses = true;
    for (let day = 0; day < 10_001; day++) {
      ledger.hear({ kind: 'ran', type: 'insight', failed: false, durationMs: 1 });
      clock.step(DAY);
    }
    expect(events).toEqual([{ kind: 'costsFailed', error: 'full', rows: 10_000, dropped: 1 }]);
    const [first] = await ledger.days('0000-00-00', '9999-99-99');
    expect(first?.day).toBe('2026-01-06');
  });
});

it('hears what it counts although nobody else does, and passes everything on', () => {
  const { ledger } = setUp();
  const passed: string[] = [];
  const emit = Object.assign((event: CacheEvent) => void passed.push(event.kind), { hears: () => false });
  const sink = ledger.listening(emit);
  expect([sink.hears?.('hit'), sink.hears?.('miss')]).toEqual([true, false]);
  sink(hit());
  expect(passed).toEqual(['hit']);
});
