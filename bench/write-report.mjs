// Figures of the write benchmark to text: medians and spreads of the rounds, the tables and the page.
import { CONCURRENCY, SHAPES, TAGS } from './write-arms.mjs';

/** Ratios and differences are taken inside each round and only then summed up. One list of results for each shape. */
export function judge(arms, runs) {
  const [floor] = arms;
  return SHAPES.map((shape) => {
    const rounds = new Map();
    for (const { round, arm, latencies } of runs.filter((run) => run.shape === shape)) {
      if (!rounds.has(round)) rounds.set(round, new Map());
      rounds.get(round).set(
        arm,
        latencies.sort((a, b) => a - b),
      );
    }
    const figures = (of) => spread([...rounds.values()].map(of));
    return {
      shape,
      arms: arms.map((arm) => ({
        arm,
        median: figures((round) => quantile(round.get(arm), 0.5)),
        p10: figures((round) => quantile(round.get(arm), 0.1)),
        p99: figures((round) => quantile(round.get(arm), 0.99)),
        ...(arm !== floor && {
          ratio: figures((round) => quantile(round.get(arm), 0.5) / quantile(round.get(floor), 0.5)),
          fastRatio: figures((round) => quantile(round.get(arm), 0.1) / quantile(round.get(floor), 0.1)),
          added: figures((round) => quantile(round.get(arm), 0.5) - quantile(round.get(floor), 0.5)),
        }),
      })),
    };
  });
}

function quantile(sorted, share) {
  return sorted[Math.floor(sorted.length * share)];
}

function spread(values) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

const headOf = ({ title }) => [title, 'ms', 'added ms', 'ratio', 'spread', 'aim', 'p10 ms', 'ratio of p10', 'p99 ms'];

function rowsOf({ arms }) {
  return arms.map(({ arm, median, p10, p99, ratio, fastRatio, added }) => [
    arm.title,
    median.median.toFixed(2),
    added ? added.median.toFixed(2) : '',
    ratio ? ratio.median.toFixed(2) : '',
    ratio ? `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}` : '',
    arm.aim === undefined || !ratio ? '' : `${arm.aim} ${ratio.median <= arm.aim ? 'met' : 'missed'}`,
    p10.median.toFixed(2),
    fastRatio ? fastRatio.median.toFixed(2) : '',
    p99.median.toFixed(2),
  ]);
}

const RATE_HEAD = ['invalidations per second', ...CONCURRENCY.map((count) => `${count} at a time`)];

function rateRowsOf(rates) {
  return [...new Set(rates.map(({ arm }) => arm))].map((arm) => [
    arm.title,
    ...CONCURRENCY.map((concurrency) => {
      const { median } = spread(
        rates.filter((one) => one.arm === arm && one.concurrency === concurrency).map(({ rate }) => rate),
      );
      return Math.round(median).toLocaleString('en');
    }),
  ]);
}

/** For the terminal. */
export function printTable(results, rates) {
  return [...results.map((one) => [headOf(one.shape), ...rowsOf(one)]), [RATE_HEAD, ...rateRowsOf(rates)]]
    .map((rows) => {
      const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
      return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ')).join('\n');
    })
    .join('\n\n');
}

export function writeMarkdown(results, rates, machine, plan) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const table = (head, rows) =>
    [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
  return `# What a write costs

Written by \`npm run bench:writes\`; how it measures stands at the top of [writes.mjs](writes.mjs). One row is written
in a transaction; its columns name ${TAGS - 1} things that reports are about, which makes ${TAGS} tags with its table. The figure that
counts is the ratio of medians inside a round; each line shows the median of ${plan.rounds} rounds of ${plan.slices} times ${plan.writes} writes, one at
a time, and of the ratio the lowest and the highest round. The tenth of the writes that nothing else delayed stands beside
(p10): on a busy machine whoever has more round trips is interrupted more often, and medians exaggerate.

${results.map((one) => table(headOf(one.shape), rowsOf(one))).join('\n\n')}

The aims are the ratios of a prototype, whose write took 0.32 ms without a cache (BEGIN, UPDATE, COMMIT), 0.62 ms with the invalidation, 0.77 with the mark, 0.71 with the outbox, 1.17 with fenced answers.

Without a database, one process, ${TAGS} tags each:

${table(RATE_HEAD, rateRowsOf(rates))}

- *Invalidated after the commit*: one script in Redis, awaited before the writer has his answer.
- *Marked before it*: one more script, awaited before the COMMIT is sent.
- *Another process holds a lease*: the script names it, and the writer waits until it has acknowledged.
- *Outbox*: one INSERT in the same transaction; the rows are deleted in the background, many at once.
- *Written by triggers*: the INSERT is a trigger's, so that writes past the ORM are told too; the writer asks after the
  commit what the triggers have written for him.
- *Fenced answers*: the row is deleted before the answer, which proves that the database takes this Redis for the true one.

${table(['', ''], machine)}
`;
}
