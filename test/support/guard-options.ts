// What stands before a shared store in tests: the shipped rules, and no chance in them.
import { Breaker } from '../../src/core/breaker.js';
import type { GuardOptions } from '../../src/core/guarded-store.js';
import { BREAKER, BOUNDS } from '../../src/options/defaults.js';

export function guardOptions(overrides: Partial<GuardOptions> = {}): GuardOptions {
  return {
    deadlineMs: 250,
    maxUnanswered: BOUNDS.unanswered,
    breaker: new Breaker(BREAKER, () => 1),
    ...overrides,
  };
}
