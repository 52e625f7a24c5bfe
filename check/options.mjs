// What the command line says.
import { parseArgs } from 'node:util';
import { ARMS, armNamed } from './arms.mjs';

export const USAGE = `npm run check:fresh [-- options]
  Two processes of the example application, graders and readers: does an acknowledged grade ever go missing?
  --quick         everything in about a minute
  --arms a,b      of ${ARMS.map((arm) => arm.name).join(', ')}
  --reads N       reads of each arm, instead of its own number
  --seed N        of the choices of readers and graders; chance remains in the timing
  --json FILE     the figures, also as JSON
Servers: REDIS_URL and DATABASE_URL, or whatever the tests would use. Data: OULAD_DIR, or a generated cohort.`;

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {boolean} quick
 * @property {readonly (import('./arms.mjs').Arm & { seconds: number })[]} arms
 * @property {number} seed
 * @property {string | undefined} json
 */

/** @param {readonly string[]} args @returns {Options} */
export function parseOptions(args) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      arms: { type: 'string' },
      reads: { type: 'string' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
    },
  });
  const reads = values.reads === undefined ? undefined : positive('--reads', values.reads);
  const arms = values.arms === undefined ? ARMS : values.arms.split(',').map((name) => armNamed(name.trim()));
  return {
    help: values.help,
    quick: values.quick,
    arms: arms.map((arm) => ({
      ...arm,
      ...(values.quick ? arm.quick : {}),
      ...(reads === undefined ? {} : { reads }),
    })),
    seed: positive('--seed', values.seed),
    json: values.json,
  };
}

/** @param {string} name @param {string} text */
function positive(name, text) {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} must be a positive integer, not "${text}".`);
  return value;
}
