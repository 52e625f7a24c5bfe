// The ledger of costs as one row a day: analyses and snapshots, made and served, and what that has spent and spared. Pure.
import { type CostDay, summarizeCosts } from '../cache.js';

export interface DayRow {
  readonly day: string;
  readonly insights: {
    readonly generated: number;
    readonly failed: number;
    /** Readers who got one without a generation of their own: hits, and those who waited for another's. */
    readonly served_from_cache: number;
    readonly hits: number;
    readonly joined: number;
    readonly hit_rate: number;
  };
  readonly tokens: { readonly used: number; readonly saved: number; readonly efficiency: number };
  readonly money: Readonly<Record<string, { readonly used: number; readonly saved: number }>>;
  readonly analytics: { readonly generated: number; readonly served_from_cache: number; readonly hit_rate: number };
}

/** In order of the days; days on which nothing was asked for are left out. */
export function statisticsOf(ledger: readonly CostDay[]): DayRow[] {
  const relevant = ledger.filter(({ type }) => type === 'ai_insight' || type === 'user_analytics');
  return [...new Set(relevant.map(({ day }) => day))].map((day) => {
    const of = (wanted: string) => relevant.filter((one) => one.day === day && one.type === wanted);
    const insights = summarizeCosts(of('ai_insight'));
    const analytics = summarizeCosts(of('user_analytics'));
    return {
      day,
      insights: {
        generated: insights.generated,
        failed: insights.failed,
        served_from_cache: insights.served,
        hits: insights.hits,
        joined: insights.joined,
        hit_rate: insights.hitRate,
      },
      tokens: { used: insights.tokensUsed, saved: insights.tokensSaved, efficiency: insights.efficiency },
      money: insights.money,
      analytics: {
        generated: analytics.generated,
        served_from_cache: analytics.served,
        hit_rate: analytics.hitRate,
      },
    };
  });
}
