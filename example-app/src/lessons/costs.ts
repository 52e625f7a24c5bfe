// What lessons cost, and what may be spent on new ones in a day.
import type { Price, SpendLimits } from '../cache.js';
import type { LessonConfig } from '../config.js';

/** The writer without a model, as the price list names it. */
export const LOCAL_WRITER = 'local-lessons';

/** It costs nobody anything; with the price of a model, about $0.002 a lesson, the figures show something. */
export const LESSON_PRICES: readonly Price[] = [
  { model: LOCAL_WRITER, from: '2026-01-01', inputPerMillion: 1, outputPerMillion: 5, currency: 'USD' },
];

/** All together: a lesson is nobody's own, so what one user may cause is not told apart. */
export function lessonLimits({ dailyCents }: LessonConfig): SpendLimits {
  return { total: { money: dailyCents / 100 } };
}
