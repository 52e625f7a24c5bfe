// The ledger of lessons by day and in total: made and served, what that has used and saved, and how it grows. Pure.
import { type CostDay, summarizeCosts } from '../cache.js';

export interface Figures {
  readonly generated: number;
  readonly failed: number;
  /** Readers who got one that was there; those who waited for another's are not among them. */
  readonly hits: number;
  readonly joined: number;
  /** Readers without a generation of their own, of all. */
  readonly hit_rate: number;
  readonly tokens: { readonly used: number; readonly saved: number };
  readonly money: Readonly<Record<string, { readonly used: number; readonly saved: number }>>;
}

export interface Statistics {
  /** Days (UTC) without lessons are left out. */
  readonly days: readonly (Figures & {
    readonly day: string;
    /** Since the first of these days. */
    readonly generated_so_far: number;
  })[];
  readonly total: Figures;
}

export function statisticsOf(ledger: readonly CostDay[]): Statistics {
  const lessons = ledger.filter(({ type }) => type === 'lesson');
  let so_far = 0;
  const days = [...new Set(lessons.map(({ day }) => day))].map((day) => {
    const figures = figuresOf(lessons.filter((one) => one.day === day));
    so_far += figures.generated;
    return { day, ...figures, generated_so_far: so_far };
  });
  return { days, total: figuresOf(lessons) };
}

function figuresOf(ledger: readonly CostDay[]): Figures {
  const { generated, failed, hits, joined, hitRate, tokensUsed, tokensSaved, money } = summarizeCosts(ledger);
  return {
    generated,
    failed,
    hits,
    joined,
    hit_rate: hitRate,
    tokens: { used: tokensUsed, saved: tokensSaved },
    money,
  };
}
