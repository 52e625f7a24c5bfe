// What the figures mean, and how they are shown.

/** @typedef {import('./tally.mjs').Tally} Tally */

/** What a reader or writer can meet: a simulation that has not met all of it is blind for the rest. */
const OUTCOMES = [
  'hit memory',
  'hit redis',
  'coalesced redis',
  'stale redis',
  'stood in',
  'miss absent',
  'miss invalidated',
  'miss epoch',
  'put stored',
  'put stale',
  'put epoch',
  'put flux',
  'put unavailable',
  'put declined',
  'alone unavailable',
  'alone transaction',
  'alone flux',
  'alone wait',
  'answered',
  'answered after the hold',
  'replica behind',
  'adopted',
  'event distrust',
  'event leaseAwaited',
  'event swept',
  'event fenced',
  'event markFailed',
  'asked I1',
  'asked I2',
  'asked I3',
  'asked I4',
  'asked token',
];

/** Counters of all levels of the true protocol together. @param {readonly Tally[]} tallies */
export function coverageOf(tallies) {
  const expected = new Set(OUTCOMES);
  for (const { subject } of tallies) for (const fault of subject.settings.faults) expected.add(`fault ${fault}`);
  /** @type {Map<string, number>} */
  const counts = new Map([...expected].map((what) => [what, 0]));
  for (const tally of tallies)
    for (const [what, times] of tally.counts) counts.set(what, (counts.get(what) ?? 0) + times);
  return { counts, missing: [...expected].filter((what) => counts.get(what) === 0) };
}

/** Why this is not what it must be; empty if it is. @param {readonly Tally[]} tallies @param {boolean} complete all levels were run */
export function faultsOf(tallies, complete) {
  const faults = [];
  for (const { subject, violations, runs } of tallies) {
    const [first] = violations;
    if (subject.broken && first === undefined) faults.push(`${subject.name}: not caught in ${runs} interleavings`);
    if (!subject.broken && first !== undefined)
      faults.push(`${subject.name}: ${first.invariant} broken by seed ${first.seed}: ${first.detail}`);
  }
  const { missing } = coverageOf(tallies.filter(({ subject }) => !subject.broken));
  if (complete) for (const what of missing) faults.push(`never happened: ${what}`);
  return faults;
}

const perSecond = (/** @type {Tally} */ { runs, ms }) => (ms === 0 ? '-' : Math.round((1000 * runs) / ms));

/** @param {readonly Tally[]} tallies */
export function tablesOf(tallies) {
  const parts = [];
  const levels = tallies.filter(({ subject }) => !subject.broken);
  if (levels.length > 0) {
    const rows = levels.map((one) => [
      one.subject.name,
      one.runs,
      one.runs === 0 ? '-' : Math.round(one.steps / one.runs),
      one.violations.length,
      perSecond(one),
    ]);
    parts.push(table(['the protocol', 'interleavings', 'steps each', 'violations', 'per second'], rows));
    const { counts } = coverageOf(levels);
    const sorted = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
    parts.push(table(['what happened', 'times'], sorted));
  }
  const broken = tallies.filter(({ subject }) => subject.broken);
  if (broken.length > 0) {
    const rows = broken.map((one) => [
      one.subject.name,
      one.violations[0]?.invariant ?? 'NOT CAUGHT',
      one.caughtAfter ?? one.runs,
      one.violations[0]?.steps ?? '-',
    ]);
    parts.push(table(['broken on purpose', 'caught by', 'interleavings', 'steps'], rows));
  }
  return parts.join('\n\n');
}

/** @param {readonly string[]} head @param {readonly (readonly (string | number)[])[]} rows */
function table(head, rows) {
  const lines = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, at) => Math.max(...lines.map((line) => (line[at] ?? '').length)));
  return lines
    .map((line) => line.map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0))))
    .map((cells) => cells.join('  '))
    .join('\n');
}

/** @param {string} tables @param {string} ending */
export function resultsPage(tables, ending) {
  return `# What the simulation found

Written by \`npm run simulate -- --results\` on ${new Date().toISOString().slice(0, 10)} with Node.js ${process.version}. A violation would be an order of
events in which the protocol breaks its promise; a variant that is broken on purpose must be caught, and the number says after
how many interleavings it was.

\`\`\`text
${tables}

${ending}
\`\`\`
`;
}
