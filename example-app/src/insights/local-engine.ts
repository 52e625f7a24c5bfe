// The engine that is always there: sentences made of the figures by rules, the same for the same figures, without a model.
import { setTimeout as pause } from 'node:timers/promises';
import type { Engine, InsightText } from './engine.js';
import type { Figures } from './figures.js';

export const LOCAL_MODEL = 'local-rules';
/** Nothing counts tokens here: what an analysis by a model takes, so that the figures show something. */
const INPUT_TOKENS = 900;
const OUTPUT_TOKENS = 600;

const PASS = 40;
const GOOD = 70;

/** @param ms how long an analysis takes, as a model would */
export function localEngine(ms: number): Engine {
  return {
    name: 'local',
    model: LOCAL_MODEL,
    async analyse(figures) {
      await pause(ms);
      return {
        text: textOf(figures),
        usage: { model: LOCAL_MODEL, inputTokens: INPUT_TOKENS, outputTokens: OUTPUT_TOKENS },
      };
    },
  };
}

/** One sentence where its condition holds. */
type Rule = (figures: Figures) => string | false | null;

const scored = (figures: Figures): figures is Figures & { readonly score: number } => figures.score !== null;

const STRENGTHS: readonly Rule[] = [
  (f) => scored(f) && f.score >= GOOD && `A weighted score of ${f.score} in ${f.graded} graded assessments.`,
  (f) => f.trend !== null && f.trend > 0 && `Scores rise by ${f.trend} points a month.`,
  (f) =>
    scored(f) && f.elsewhere !== null && f.score > f.elsewhere && `Stronger here than elsewhere (mean ${f.elsewhere}).`,
  (f) => f.graded > 0 && f.late === 0 && 'Everything was handed in on time.',
];
const CONCERNS: readonly Rule[] = [
  (f) => scored(f) && f.score < PASS && `A weighted score of ${f.score} does not pass.`,
  (f) => f.trend !== null && f.trend < 0 && `Scores fall by ${-f.trend} points a month.`,
  (f) => f.late > 0 && `${f.late} assessments were handed in late.`,
  (f) => f.highest !== null && f.lowest !== null && f.highest - f.lowest > 40 && spread(f.lowest, f.highest),
  (f) => f.completed * 2 < f.materials && `${f.completed} of ${f.materials} materials were read to the end.`,
];
const SUGGESTIONS: readonly Rule[] = [
  (f) => f.graded === 0 && 'Wait for the first grade before anything is concluded.',
  (f) => scored(f) && f.score < PASS && 'Go through the lowest assessment together.',
  (f) => f.late > 0 && 'Agree on dates a few days before each deadline.',
  (f) => f.completed * 2 < f.materials && 'Choose two materials a week to read to the end.',
  (f) => scored(f) && f.score >= GOOD && 'Offer a task beyond the course.',
  () => 'Look at this again after the next grade.',
];

const spread = (lowest: number, highest: number): string => `Results vary widely, from ${lowest} to ${highest}.`;

function textOf(figures: Figures): InsightText {
  const told = (rules: readonly Rule[]): string[] => rules.flatMap((rule) => rule(figures) || []);
  const { subject, results, graded, awaiting, score } = figures;
  const standing = score === null ? 'nothing is graded yet' : `the weighted score is ${score}`;
  return {
    summary: `${subject} (${results.join(', ')}): ${standing}, with ${graded} graded assessments and ${awaiting} awaiting a grade.`,
    strengths: told(STRENGTHS),
    concerns: told(CONCERNS),
    suggestions: told(SUGGESTIONS),
  };
}
