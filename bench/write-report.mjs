// Figures of the write benchmark to text: medians and spreads of the rounds, the tables and the page.
import { CONCURRENCY, TAGS } from './write-arms.mjs';

/** Ratios and differences are taken inside each round and only then summed up. */
export function judge(arms, runs, rates) {
  const rounds = new Map(runs.map(({ round }) => [round, new Map()]));
  for (const { round, arm, latencies } of runs)
    rounds.get(round).set(
      arm,
      latencies.sort((a, b) => a - b),
    );
  const [floor] = arms;
  return arms.map((arm) => {
    const own = [...rounds.values()];
    const at = (one, share, of = arm) => one.get(of)[Math.floor(one.get(of).length * share)];
    const figures = (of) => spread(own.map(of));
    return {
      arm,
      median: figures((one) => at(one, 0.5)),
      p99: figures((one) => at(one, 0.99)),
      ...(arm !== floor && {
        ratio: figures((one) => at(one, 0.5) / at(one, 0.5, floor)),
        added: figures((one) => at(one, 0.5) - at(one, 0.5, floor)),
      }),
      rates: CONCURRENCY.map((concurrency) =>
        spread(rates.filter((one) => one.arm === arm && one.concurrency === concurrency).map(({ rate }) => rate)),
      ).filter((one) => one !== undefined),
    };
  });
}

function spread(values) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

const HEAD = ['a write of one row', 'ms', 'added ms', 'ratio', 'spread', 'aim', 'p99 ms'];

function rowsOf(results) {
  return results.map(({ arm, median, p99, ratio, added }) => [
    arm.title,
    median.median.toFixed(2),
    added ? added.median.toFixed(2) : '',
    ratio ? ratio.median.toFixed(2) : '',
    ratio ? `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}` : '',
    arm.aim === undefined || !ratio ? '' : `${arm.aim} ${ratio.median <= arm.aim ? 'met' : 'missed'}`,
    p99.median.toFixed(2),
  ]);
}

const RATE_HEAD = ['invalidations per second', ...CONCURRENCY.map((count) => `${count} at a time`)];

function rateRowsOf(results) {
  return results
    .filter(({ rates }) => rates.length > 0)
    .map(({ arm, rates }) => [arm.title, ...rates.map(({ median }) => Math.round(median).toLocaleString('en'))]);
}

/** For the terminal. */
export function printTable(results) {
  return [
    [HEAD, ...rowsOf(results)],
    [RATE_HEAD, ...rateRowsOf(results)],
  ]
    .map((rows) => {
      const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
      return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ')).join('\n');
    })
    .join('\n\n');
}

export function writeMarkdown(results, machine, plan) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const table = (head, rows) =>
    [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
  return `# What a write costs

Written by \`npm run bench:writes\`; how it measures stands at the top of [writes.mjs](writes.mjs). The write is
\`transaction((manager) => manager.save(row))\` of one row whose columns name ${TAGS - 1} things that reports are about: ${TAGS} tags
with its table. Without the library that is four round trips to the database: BEGIN, SELECT, UPDATE, COMMIT. The figure
that counts is the ratio of medians inside a round; each row shows the median of ${plan.rounds} rounds of ${plan.slices} times ${plan.writes} writes, one
at a time, and of the ratio the lowest and the highest round.

${table(HEAD, rowsOf(results))}

The aims are the ratios of a prototype, which wrote without a SELECT: on a machine where its write took 0.32 ms, 0.62 ms
with the invalidation, 0.77 with the mark, 0.71 with the outbox, 1.17 with fenced answers.

Without a database, one process, ${TAGS} tags each:

${table(RATE_HEAD, rateRowsOf(results))}

- *Invalidated after the commit*: one script in Redis, awaited before the writer has his answer.
- *Marked before it*: one more script, awaited before the COMMIT is sent.
- *Another process holds a lease*: the script names it, and the writer waits until it has acknowledged.
- *Outbox*: one INSERT in the same transaction; the rows are deleted in the background, many at once.
- *Fenced answers*: the row is deleted before the answer, which proves that the database takes this Redis for the true one.

${table(['', ''], machine)}
`;
}
