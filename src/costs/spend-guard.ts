// Limits of a day: what was spent against them, here and in other processes, and whether one more run may begin.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../contract/clock.js';
import type { Cost, Refusal, Run, SpendGate } from '../contract/costs.js';
import { toNanos } from '../entry/cost.js';
import type { CostPolicy, ResolvedLimit } from '../options/costs.js';
import { dayEnd, dayOf } from './counts.js';

/** Against one limit, on one day. */
export interface Spending {
  readonly tokens: number;
  readonly nanos: number;
}

/** What a limit counts: a report type on a day, for one owner or for all. */
export interface SpendAccount {
  readonly day: string;
  readonly type: string;
  /** Undefined: all of them together. */
  readonly owner: string | undefined;
}

/** Where the spending of all processes is added up. */
export interface SharedSpending {
  /** Never rejects. */
  add(accounts: readonly SpendAccount[], spending: Spending): void;
  /** In the order of the accounts; undefined: it cannot tell now. Never rejects. */
  read(accounts: readonly SpendAccount[]): Promise<readonly Spending[] | undefined>;
}

const NONE: Spending = { tokens: 0, nanos: 0 };
/** Accounts of this process; the ones that were used last stay. */
const MOST_ACCOUNTS = 100_000;

export class SpendGuard implements SpendGate {
  readonly #own = new LRUCache<string, Spending>({ max: MOST_ACCOUNTS });

  constructor(
    private readonly limits: CostPolicy['limits'],
    private readonly shared: SharedSpending | undefined,
    private readonly clock: Clock,
  ) {}

  record(run: Run, cost: Cost): void {
    if (!this.limits.has(run.type)) return;
    const spending = { tokens: cost.inputTokens + cost.outputTokens, nanos: toNanos(cost.money ?? 0) };
    const accounts = this.#accountsOf(run);
    for (const account of accounts) this.#own.set(nameOf(account), sum(this.#ownOf(account), spending));
    this.shared?.add(accounts, spending);
  }

  admit(run: Run): undefined | Promise<Refusal | undefined> {
    const limit = this.limits.get(run.type);
    return limit && this.#judge(run, [limit.perUser, limit.total]);
  }

  async #judge(run: Run, limits: readonly ResolvedLimit[]): Promise<Refusal | undefined> {
    const accounts = this.#accountsOf(run);
    const own = accounts.map((account) => this.#ownOf(account));
    if (!anyOver(own, limits)) {
      const shared = await this.shared?.read(accounts);
      if (shared === undefined || !anyOver(shared, limits)) return undefined;
    }
    const now = this.clock.now();
    return { retryMs: dayEnd(now) - now };
  }

  #accountsOf({ type, owner }: Run): readonly SpendAccount[] {
    const day = dayOf(this.clock.now());
    return [
      { day, type, owner },
      { day, type, owner: undefined },
    ];
  }

  #ownOf(account: SpendAccount): Spending {
    return this.#own.get(nameOf(account)) ?? NONE;
  }
}

function anyOver(spendings: readonly Spending[], limits: readonly ResolvedLimit[]): boolean {
  return limits.some((limit, index) => {
    const { tokens, nanos } = spendings[index] ?? NONE;
    return tokens >= limit.tokens || nanos >= limit.nanos;
  });
}

function sum(one: Spending, other: Spending): Spending {
  return { tokens: one.tokens + other.tokens, nanos: one.nanos + other.nanos };
}

function nameOf({ day, type, owner }: SpendAccount): string {
  return JSON.stringify([day, type, owner ?? null]);
}
