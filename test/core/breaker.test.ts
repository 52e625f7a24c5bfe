// The circuit breaker by itself: when it opens, whom it lets through, when it closes.
import { describe, expect, it } from '@jest/globals';
import { Breaker, type BreakerRules, type Leave } from '../../src/core/breaker.js';

const RULES: BreakerRules = {
  failuresInARow: 3,
  failureShare: 0.5,
  fewest: 10,
  windowMs: 1000,
  firstCoolOffMs: 100,
  longestCoolOffMs: 350,
};

function breaker(rules: Partial<BreakerRules> = {}, random = () => 1) {
  const machine = new Breaker({ ...RULES, ...rules }, random);
  const ask = (now: number): Leave => {
    const leave = machine.admit(now);
    if (leave === undefined) throw new Error(`refused at ${now}`);
    return leave;
  };
  const fail = (now: number) => machine.failed(ask(now), now);
  const succeed = (now: number) => machine.succeeded(ask(now), now);
  const open = (now = 0) => {
    for (let turn = 0; turn < RULES.failuresInARow; turn += 1) fail(now);
  };
  /** The first millisecond from `now` on at which somebody is let through, and his leave. */
  const probe = (now: number) => {
    for (let at = now; ; at += 1) {
      const leave = machine.admit(at);
      if (leave !== undefined) return { at, leave };
    }
  };
  return { machine, ask, fail, succeed, open, probe };
}

describe('a closed breaker', () => {
  it('opens after so many failures in a row', () => {
    const { machine, fail } = breaker();
    fail(0);
    fail(1);
    expect(machine.state).toBe('closed');
    fail(2);
    expect(machine.state).toBe('open');
  });

  it('begins to count anew with each success', () => {
    const { machine, fail, succeed } = breaker({ fewest: Infinity });
    for (let turn = 0; turn < 20; turn += 1) {
      fail(turn);
      fail(turn);
      succeed(turn);
    }
    expect(machine.state).toBe('closed');
  });

  it('opens when too many of a window have failed, though never in a row', () => {
    const { machine, fail, succeed } = breaker();
    for (let turn = 0; turn < 4; turn += 1) {
      succeed(turn);
      fail(turn);
    }
    succeed(4);
    expect(machine.state).toBe('closed');
    fail(5);
    expect(machine.state).toBe('open');
  });

  it('does not go by what few readers have met', () => {
    const { machine, fail, succeed } = breaker();
    for (let turn = 0; turn < 4; turn += 1) {
      fail(turn);
      succeed(turn);
    }
    expect(machine.state).toBe('closed');
  });

  it('forgets an earlier window', () => {
    const { machine, fail, succeed } = breaker();
    for (let turn = 0; turn < 4; turn += 1) {
      fail(0);
      succeed(0);
    }
    succeed(999);
    fail(1000);
    expect(machine.state).toBe('closed');
  });
});

describe('an open breaker', () => {
  it('lets nobody through until the cool-off is over, then one', () => {
    const { machine, open } = breaker();
    open();
    expect(machine.admit(99)).toBeUndefined();
    expect(machine.state).toBe('open');
    expect(machine.admit(100)).toBeDefined();
    expect(machine.state).toBe('half-open');
    expect(machine.admit(100)).toBeUndefined();
    expect(machine.admit(1_000_000)).toBeUndefined();
  });

  it('closes when the probe succeeds, and begins again with the first cool-off', () => {
    const { machine, open, probe } = breaker();
    open();
    const first = probe(0);
    machine.failed(first.leave, first.at);
    const second = probe(first.at);
    expect(second.at - first.at).toBe(200);
    machine.succeeded(second.leave, second.at);
    expect(machine.state).toBe('closed');
    open(second.at);
    expect(probe(second.at).at - second.at).toBe(100);
  });

  it('waits twice as long after each probe that fails, up to the longest', () => {
    const { machine, open, probe } = breaker();
    open();
    const waits: number[] = [];
    let last = 0;
    for (let turn = 0; turn < 5; turn += 1) {
      const { at, leave } = probe(last);
      waits.push(at - last);
      machine.failed(leave, at);
      last = at;
    }
    expect(waits).toEqual([100, 200, 350, 350, 350]);
  });

  it.each([
    [0, 50],
    [0.5, 75],
    [0.999, 100],
  ])('half of the cool-off is chance: %d of it', (chance, ms) => {
    const { open, probe } = breaker({}, () => chance);
    open();
    expect(probe(0).at).toBe(ms);
  });

  it('ends at once with a sign of life, and with the longer cool-off if that was none', () => {
    const { machine, open, probe } = breaker();
    open();
    machine.revive();
    const { at, leave } = probe(1);
    expect(at).toBe(1);
    machine.failed(leave, at);
    expect(probe(at).at - at).toBe(200);
  });

  it('hears nothing from those who had asked before', () => {
    const { machine, ask, open, probe } = breaker();
    const early = [ask(0), ask(0)] as const;
    open(0);
    machine.succeeded(early[0], 10);
    expect(machine.state).toBe('open');
    machine.failed(early[1], 99);
    const { at, leave } = probe(99);
    expect(at).toBe(100);
    machine.succeeded(early[0], 101);
    expect(machine.state).toBe('half-open');
    machine.failed(early[1], 101);
    expect(machine.state).toBe('half-open');
    machine.succeeded(leave, 102);
    machine.failed(early[1], 103);
    expect(machine.state).toBe('closed');
  });
});
