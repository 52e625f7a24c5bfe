// Figures to text: the tables for the terminal and the page.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { PEERS } from './arms.mjs';
import { CACHES, VALUE_BYTES } from './growth-cases.mjs';
import { verdicts } from './judge.mjs';

const HEAD = [
  'answer',
  'size',
  'CPU µs',
  'of it system',
  'ratio',
  'spread',
  'above floor µs',
  'aim',
  'requests/s',
  'p50 ms',
  'p99 ms',
];

function rowsOf(results) {
  const met = new Map(verdicts(results).map((one) => [one.result, one]));
  return results.map((result) => {
    const { arm, size, cpu, system, ratio, above, rate, p50, p99 } = result;
    const verdict = met.get(result);
    return [
      arm.peer === undefined ? arm.title : `_${arm.title}_`,
      size,
      cpu.toFixed(1),
      system.toFixed(1),
      ratio === undefined ? '' : ratio.median.toFixed(2),
      ratio === undefined ? '' : `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`,
      above === undefined ? '' : above.median.toFixed(1),
      verdict === undefined ? '' : saysWhether(verdict),
      Math.round(rate).toLocaleString('en'),
      p50.toFixed(2),
      p99.toFixed(2),
    ];
  });
}

function saysWhether({ aim, met }) {
  return `${aim} ${met ? 'met' : 'missed'}`;
}

/** For the terminal. */
export function printTable(results) {
  return aligned([HEAD, ...rowsOf(results)]);
}

const AIMS_HEAD = ['aim', 'size', 'promised', 'measured', '', 'best other cache', 'its ratio', ''];

function aimRows(results) {
  return verdicts(results).map(({ result: { arm, size, ratio, above }, aim, met, best, ahead }) => [
    arm.title,
    size,
    aim,
    arm.aim === undefined ? `${above.median.toFixed(1)} µs` : ratio.median.toFixed(2),
    met ? 'met' : 'missed',
    best === undefined ? '' : best.arm.title,
    best === undefined ? '' : best.ratio.median.toFixed(2),
    best === undefined ? '' : ahead ? 'ahead' : 'behind',
  ]);
}

export function printAims(results) {
  return aligned([AIMS_HEAD, ...aimRows(results)]);
}

/** Fewer entries weigh less than what the heap does by itself. */
const FEWEST_WEIGHED = 10_000;

const GROWTH_HEAD = [
  'cache',
  'in',
  'entries',
  'under each tag',
  'tags each',
  'invalidation ms',
  'commands',
  'hit µs',
  'bytes per entry',
  'in Redis',
];

function growthRows(growth) {
  const whole = (value) => (value === undefined ? '' : Math.round(value).toLocaleString('en'));
  return growth.map((row) => [
    row.cache.title,
    row.layer,
    whole(row.entries),
    whole(row.share),
    whole(row.tags),
    row.invalidation === undefined ? '' : row.invalidation.toPrecision(3),
    whole(row.commands),
    row.hit.toFixed(1),
    row.entries < FEWEST_WEIGHED || isElsewhere(row) ? '' : whole(row.bytes),
    row.entries < FEWEST_WEIGHED ? '' : whole(row.redisBytes),
  ]);
}

/** The other caches keep nothing in the process where they keep it in Redis. */
function isElsewhere({ cache, layer }) {
  return layer === 'redis' && cache.name !== 'ours';
}

export function printGrowth(growth) {
  return growth.length === 0 ? '' : aligned([GROWTH_HEAD, ...growthRows(growth)]);
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ')).join('\n');
}

/**
 * @param {{ packages: [title: string, name: string][], more: [string, string][] }} what packages whose versions matter, and
 *   whatever else the figures depend on
 */
export function describeMachine({ packages, more }) {
  // Not every package lets its package.json be resolved.
  const manifest = (name) => new URL(`../node_modules/${name}/package.json`, import.meta.url);
  const version = (name) => JSON.parse(readFileSync(manifest(name), 'utf8')).version;
  return [
    ['Date', new Date().toISOString().slice(0, 10)],
    ['Commit', commit()],
    ['Processor', `${os.cpus()[0]?.model.trim() ?? 'unknown'}, ${os.availableParallelism()} cores, ${os.arch()}`],
    ['System', `${os.type()} ${os.release()}`],
    ['Load average at the start', os.loadavg()[0].toFixed(2)],
    ['Node.js', process.version],
    ...packages.map(([title, name]) => [title, version(name)]),
    ...more,
  ];
}

function commit() {
  try {
    const git = (...args) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return (
      git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', 'src') === '' ? '' : ', with changes')
    );
  } catch {
    return 'not a checkout';
  }
}

const line = (cells) => `| ${cells.join(' | ')} |`;

/** The first `names` columns are words, the others figures. */
function table(head, rows, names) {
  return [line(head), line(head.map((_, column) => (column < names ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** @param {Map<string, string>} skipped what could not be measured, and why */
function leftOut(skipped) {
  return [...skipped].map(([name, reason]) => `\n- Left out: ${name}. ${reason}`).join('');
}

export function writeHits(results, machine, plan, skipped) {
  return `# What a hit costs

Written by \`npm run bench\`; how it measures stands at the top of [run.mjs](run.mjs). The figure that counts is the ratio:
CPU time per request of the server process of the floor (the row above without a ratio) divided by that of the cache.
1.00 would be free. Each is the median of ${plan.starts * plan.rounds} rounds of ${plan.slices} times ${plan.seconds} s (${plan.starts} starts of every
server, each warmed up with ${plan.warmUpRequests.toLocaleString('en')} requests), with the lowest and the highest round beside it. The spread between rounds is the
noise of the machine: a difference smaller than it means nothing.

## What was promised

${table(AIMS_HEAD, aimRows(results), 3)}

![ratios](results.svg)

## Requests

${table(HEAD, rowsOf(results), 2)}

- *L1 hit, one process*: no Redis; memory is the truth. *Lease*: memory in front of Redis, asked beside the readers
  every third of the lease. *Strict*: every hit waits for one question to Redis that all concurrent readers share.
- *AsyncLocalStorage in use*: the library follows computations and transactions with it, and from its first use on
  Node does more for everything asynchronous in the process, hits included. What that costs is in all rows of this library.
- *L2 hit*: found in Redis, proved there, and taken into a memory that has room for one report, so that
  none is found in memory when it comes round again. Its floor reads the bare bytes with \`getBuffer\`.
- *Miss*: every request is for a page never asked for before; its floor is the same handler (\`res.send\`, which makes an
  ETag) without a cache.
- *In italics*: other caches. ${PEERS.find(({ middleware }) => middleware).name} is a middleware in front of the same handler. The others keep values: the
  floor's route asks them (key: user and URL) and sends what they give with the headers that this library sends, so
  that nobody pays for fields that another leaves out. In memory they keep the Buffer itself, without copies
  or serialising, and no tags; over Redis alone they keep text, without a memory in front. How each is wired
  stands in [peers](peers). None of them proves with Redis that what it has in memory is current. layercache is not
  here: the npm registry does not have it. Nor is a 304 of apicache: it carries the Content-Length of the body that it
  does not send, for which the load generator waits.
- Throughput and latencies are those of a saturated server and one load generator on this machine.
- Redis's own CPU time is not in these figures.${leftOut(skipped)}

What grows with entries and tags stands in [RESULTS-growth.md](RESULTS-growth.md).

## Where

${table(['', ''], machine, 1)}
`;
}

export function writeGrowth(growth, machine, skipped) {
  const curve = (name) => growthRows(growth.filter((row) => row.curve === name));
  return `# What grows with entries and tags

Written by \`npm run bench\`; how it measures stands in [growth.mjs](growth.mjs) and [growth-worker.mjs](growth-worker.mjs). Median
time of one invalidation by tag, and what reaches Redis for it; CPU time of a hit inside the process, values of
${VALUE_BYTES} bytes; memory per entry beside the value. Caches that find their entries when they invalidate pay for each;
those that compare tags when they read do not. ${CACHES.filter(({ untagged }) => untagged)
    .map(({ title }) => title)
    .join(' and ')} have no tags.
${leftOut(skipped)}

![growth](growth.svg)

## Entries, each under a tag of its own

${table(GROWTH_HEAD, curve('entries'), 2)}

## Entries under the tag that is invalidated

${table(GROWTH_HEAD, curve('share'), 2)}

## Tags per entry

${table(GROWTH_HEAD, curve('tags'), 2)}

## Where

${table(['', ''], machine, 1)}
`;
}
