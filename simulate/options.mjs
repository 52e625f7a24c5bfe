// What the command line says.
import { parseArgs } from 'node:util';
import { SUBJECTS, subjectNamed } from './variant.mjs';

export const USAGE = `npm run simulate [-- options]
  The cache protocol against a simulated Redis, database and network: every order of events comes from a seed.
  --quick          everything, in a minute where nothing else runs
  --runs N         interleavings of the true protocol, all levels together (1000000, quick: 5500)
  --seconds N      begin nothing more after so long, whatever was asked for (quick: 600)
  --seed N         the first seed (1)
  --variant NAME   only this level or broken variant
  --trace          with --variant and --seed: this one interleaving, step by step
  --json FILE      the figures, also as JSON
  --results        writes simulate/RESULTS.md
Levels and variants: ${SUBJECTS.map((one) => one.name).join('; ')}.`;

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {boolean} quick
 * @property {number} runs
 * @property {number} seconds
 * @property {number} seed
 * @property {string | undefined} variant
 * @property {boolean} trace
 * @property {string | undefined} json
 * @property {boolean} results
 */

/** @param {readonly string[]} args @returns {Options} */
export function parseOptions(args) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      runs: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      variant: { type: 'string' },
      trace: { type: 'boolean', default: false },
      json: { type: 'string' },
      results: { type: 'boolean', default: false },
    },
  });
  if (values.variant !== undefined) subjectNamed(values.variant);
  if (values.trace && values.variant === undefined)
    throw new Error('--trace needs --variant, and the --seed to replay.');
  return {
    help: values.help,
    quick: values.quick,
    runs: values.runs === undefined ? (values.quick ? 5500 : 1_000_000) : positive('--runs', values.runs),
    seconds: values.seconds === undefined ? (values.quick ? 600 : Infinity) : positive('--seconds', values.seconds),
    seed: positive('--seed', values.seed),
    variant: values.variant,
    trace: values.trace,
    json: values.json,
    results: values.results,
  };
}

/** @param {string} name @param {string} text */
function positive(name, text) {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} must be a positive integer, not "${text}".`);
  return value;
}
