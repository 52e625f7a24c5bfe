// Whether a store that fails is worth asking: a circuit breaker that knows only what it is told, and when.

/** `open`: nobody asks. `half-open`: one asks for all, the others still do not. */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerRules {
  /** So many failures in a row open it. */
  readonly failuresInARow: number;
  /** So does this share of failures among at least `fewest` outcomes within `windowMs`. */
  readonly failureShare: number;
  readonly fewest: number;
  readonly windowMs: number;
  /** How long it stays open at first, ms; twice as long after each failed probe, up to `longestCoolOffMs`. */
  readonly firstCoolOffMs: number;
  readonly longestCoolOffMs: number;
}

/** Leave to ask, to be given back with the outcome. */
export type Leave = number;

/**
 * The pattern is M. Nygard's (Release It!, 2007, "Circuit Breaker"). Half of each cool-off is jitter, so that processes
 * that failed together do not probe together. Not from a library: opossum and cockatiel read `Date.now()`, which steps, and
 * wrap whole functions, so that what is never refused could not tell them of a sign of life; cockatiel lets the others
 * wait for the probe.
 */
export class Breaker {
  #state: BreakerState = 'closed';
  /** Counts states: what was asked in an earlier one says nothing about this one. */
  #period: Leave = 0;
  #inARow = 0;
  #window = { beganAt: -Infinity, outcomes: 0, failures: 0 };
  #coolOffMs: number;
  #openUntil = -Infinity;

  /** @param random from 0 to 1, for the jitter */
  constructor(
    private readonly rules: BreakerRules,
    private readonly random: () => number = Math.random,
  ) {
    this.#coolOffMs = rules.firstCoolOffMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** @returns undefined: do not ask. Whoever gets leave while it is not closed is the probe. */
  admit(now: number): Leave | undefined {
    if (this.#state === 'closed') return this.#period;
    if (this.#state === 'half-open' || now < this.#openUntil) return undefined;
    return this.#enter('half-open');
  }

  succeeded(leave: Leave, now: number): void {
    if (leave !== this.#period) return;
    if (this.#state === 'closed') {
      this.#inARow = 0;
      this.#count(now, 0);
      return;
    }
    this.#coolOffMs = this.rules.firstCoolOffMs;
    this.#enter('closed');
  }

  failed(leave: Leave, now: number): void {
    if (leave !== this.#period) return;
    if (this.#state === 'closed') {
      this.#inARow += 1;
      this.#count(now, 1);
      if (!this.#isTooMuch()) return;
    }
    this.#enter('open');
    this.#openUntil = now + this.#coolOffMs * (0.5 + 0.5 * this.random());
    this.#coolOffMs = Math.min(this.#coolOffMs * 2, this.rules.longestCoolOffMs);
  }

  /** Somebody who is never refused was answered in time, or the connection is new: the next who asks is the probe. */
  revive(): void {
    this.#openUntil = -Infinity;
  }

  #enter(state: BreakerState): Leave {
    this.#state = state;
    this.#inARow = 0;
    this.#window = { beganAt: -Infinity, outcomes: 0, failures: 0 };
    this.#period += 1;
    return this.#period;
  }

  #count(now: number, failures: 0 | 1): void {
    if (now - this.#window.beganAt >= this.rules.windowMs) this.#window = { beganAt: now, outcomes: 0, failures: 0 };
    this.#window.outcomes += 1;
    this.#window.failures += failures;
  }

  #isTooMuch(): boolean {
    const { outcomes, failures } = this.#window;
    const { failuresInARow, fewest, failureShare } = this.rules;
    return this.#inARow >= failuresInARow || (outcomes >= fewest && failures >= outcomes * failureShare);
  }
}
