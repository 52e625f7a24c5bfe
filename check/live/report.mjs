// Shows results: one line after each run, and all of them as check/RESULTS.md.
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { FAULTS, faultNamed } from './faults/table.mjs';
import { LAMBDA_MS, LEASE_MS, LEVELS, levelNamed } from './levels.mjs';
import { boundsOf, failuresOf } from './verdict.mjs';

/** @typedef {import('./verdict.mjs').Figures} Figures */

const milliseconds = (/** @type {number | undefined} */ value) =>
  value === undefined ? '-' : value < 10 ? value.toFixed(1) : value.toFixed(0);
const share = (/** @type {number} */ part, /** @type {number} */ whole) =>
  whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;

/** @param {Figures['stale']['answered']} stale */
const ages = ({ count, p50, p99, max }) =>
  count === 0 ? '0' : `${count}: ${milliseconds(p50)} / ${milliseconds(p99)} / ${milliseconds(max)}`;

/** @param {number} bound */
const boundText = (bound) => (bound === Infinity ? 'none' : bound === 0 ? '0' : `<= ${bound} ms`);

/** @param {Figures} figures */
const resultOf = (figures) => failuresOf(levelNamed(figures.level), faultNamed(figures.fault), figures);

/** @param {Figures} figures */
function wordFor(figures) {
  if (resultOf(figures).length > 0) return 'FAILED';
  return levelNamed(figures.level).what === 'control' ? 'caught' : 'ok';
}

/** @type {readonly (readonly [head: string, value: (one: Figures) => string | number])[]} */
const COLUMNS = [
  ['fault', (one) => one.fault],
  ['times', (one) => (one.fault === 'none' ? '-' : one.injected)],
  ['reads', (one) => one.reads],
  ['per s', (one) => Math.round(one.reads / one.seconds)],
  ['writes', (one) => one.acked],
  ['memory', (one) => share(one.ways['memory'] ?? 0, one.reads)],
  ['Redis', (one) => share(one.ways['redis'] ?? 0, one.reads)],
  ['joined', (one) => share(one.ways['collapsed'] ?? 0, one.reads)],
  ['computed', (one) => share((one.ways['miss'] ?? 0) + (one.ways['bypass'] ?? 0), one.reads)],
  ['stale after the answer, ms p50/p99/max', (one) => ages(one.stale.answered)],
  [
    'oldest when asked',
    (one) => (one.stale.answered.count === 0 ? '-' : milliseconds(one.stale.answered.oldestWhenSent)),
  ],
  ['allowed', (one) => boundText(boundsOf(levelNamed(one.level), faultNamed(one.fault)).answered)],
  ['after a crash or lost reply', (one) => ages(one.stale.found)],
  ['after foreign writes', (one) => ages(one.stale.foreign)],
  ['allowed', (one) => boundText(boundsOf(levelNamed(one.level), faultNamed(one.fault)).found)],
  ['inversions', (one) => one.inversions.answered],
  ['others', (one) => one.inversions.others],
  ['marks refused', (one) => one.events['markFailed'] ?? 0],
  ['errors r/w', (one) => `${one.readErrors}/${one.writeErrors}`],
  [
    'write ms p50/p99/max',
    (one) => `${milliseconds(one.writeMs.p50)} / ${milliseconds(one.writeMs.p99)} / ${milliseconds(one.writeMs.max)}`,
  ],
  ['result', (one) => wordFor(one)],
];

/** @param {Figures} one */
export function lineOf(one) {
  const { answered, found, foreign } = one.stale;
  const stale = `stale ${ages(answered)}, found ${ages(found)}, foreign ${ages(foreign)}`;
  const inversions = `inversions ${one.inversions.answered}+${one.inversions.others}`;
  const rate = `${one.reads} reads (${Math.round(one.reads / one.seconds)}/s), ${one.acked} writes`;
  return `${one.level} ${one.fault} x${one.injected}: ${rate}, ${stale}, ${inversions}, longest write ${milliseconds(one.writeMs.max)} ms: ${wordFor(one)}`;
}

/** @param {readonly string[]} cells */
const row = (cells) => `| ${cells.join(' | ')} |`;

/** @param {Figures[]} results @param {{ redis: string, postgres: string }} servers */
export function markdownOf(results, servers) {
  const lines = [
    '# What the live check found',
    '',
    `Written by \`npm run check:fresh -- --faults --results\` on ${new Date().toISOString().slice(0, 10)}, commit ${commit()}.`,
    `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${(totalmem() / 2 ** 30).toFixed(0)} GB, Node ${process.versions.node}, Redis ${servers.redis}, PostgreSQL ${servers.postgres};`,
    `4 processes, Redis, PostgreSQL and the checker share them. Lease ${LEASE_MS} ms, LAMBDA ${LAMBDA_MS} ms.`,
    '',
    'Ages count from the acknowledgement that was missed until the process had its answer. What is allowed holds when the',
    'question is asked: what a slow computation or a busy machine adds until the answer is not the age of what was decided.',
    'A level with `-plain` has no outbox, no sweeper and no triggers: what nobody announces lives there until its ttl.',
    'Inversions: a version was seen, then an older one; `others` are those of writes that nobody announced.',
    '',
  ];
  for (const level of LEVELS) {
    const own = FAULTS.flatMap((fault) =>
      results.filter((one) => one.level === level.name && one.fault === fault.name),
    );
    if (own.length === 0) continue;
    lines.push(`## ${level.name}`, '', row(COLUMNS.map(([head]) => head)), row(COLUMNS.map(() => '---')));
    for (const one of own) lines.push(row(COLUMNS.map(([, value]) => String(value(one)))));
    lines.push('');
  }
  lines.push('## Faults', '', row(['fault', 'row of the fault table', 'what']), row(['---', '---', '---']));
  for (const { name, rows, what } of FAULTS) lines.push(row([name, rows, what]));
  return `${lines.join('\n')}\n`;
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
