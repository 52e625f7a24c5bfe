// Figures to text: medians and spreads of the rounds, the table, the page and the plot.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** One result per arm and size; ratios are taken inside each round and only then summed up. */
export function judge(cases, runs) {
  return cases.map(({ arm, size }) => {
    const of = (name) => runs.filter((run) => run.arm.name === name && run.size === size);
    const own = of(arm.name);
    const floor = arm.floor === undefined ? [] : of(arm.floor);
    const ratios = floor.map((run) => run.cpu / own.find(({ round }) => round === run.round).cpu);
    const figure = (name) => median(own.map((run) => run[name]));
    return {
      arm,
      size,
      cpu: figure('cpu'),
      system: figure('system'),
      rate: figure('rate'),
      p50: figure('p50'),
      p99: figure('p99'),
      ratio:
        ratios.length === 0
          ? undefined
          : { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) },
    };
  });
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const HEAD = ['answer', 'size', 'CPU µs', 'of it system', 'ratio', 'spread', 'aim', 'requests/s', 'p50 ms', 'p99 ms'];

function rowsOf(results) {
  return results.map(({ arm, size, cpu, system, ratio, rate, p50, p99 }) => [
    arm.title,
    size,
    cpu.toFixed(1),
    system.toFixed(1),
    ratio === undefined ? '' : ratio.median.toFixed(2),
    ratio === undefined ? '' : `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`,
    arm.aim === undefined ? '' : `${arm.aim} ${ratio.median >= arm.aim ? 'met' : 'missed'}`,
    Math.round(rate).toLocaleString('en'),
    p50.toFixed(2),
    p99.toFixed(2),
  ]);
}

/** For the terminal. */
export function printTable(results) {
  const rows = [HEAD, ...rowsOf(results)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
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

export function writeMarkdown(results, machine, plan) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return `# What a hit costs

Written by \`npm run bench\`; how it measures stands at the top of [run.mjs](run.mjs). The figure that counts is the ratio:
CPU time per request of the server process of the floor (the row above without a ratio: the same bytes with the same
headers from a route without this library) divided by that of the cache. 1.00 would be free. Each is the median of
${plan.starts * plan.rounds} rounds of ${plan.slices} times ${plan.seconds} s (${plan.starts} starts of every server, each warmed up with ${plan.warmUpRequests.toLocaleString('en')} requests), with the lowest and
the highest round beside it. The spread between rounds is the noise of the machine: a difference smaller than it means
nothing.

![ratios](results.svg)

${line(HEAD)}
${line(HEAD.map((_, column) => (column < 2 ? '---' : '---:')))}
${rowsOf(results).map(line).join('\n')}

- *L1 hit, one process*: no Redis; memory is the truth. *Lease*: memory in front of Redis, asked beside the readers
  every third of the lease. *Strict*: every hit waits for one question to Redis that all concurrent readers share.
- *L2 hit*: found in Redis, proved there, and taken into a memory that holds an eighth of the reports asked for, so that
  none is found in memory when it comes round again. Its floor reads the bare bytes with \`getBuffer\`.
- Throughput and latencies are those of a saturated server and one load generator on this machine.
- Redis's own CPU time is not in these figures.

| | |
| --- | --- |
${machine.map(line).join('\n')}
`;
}

/** Bars of the ratios with their spread, and a mark at the aim. */
export function writePlot(results) {
  const bars = results.filter(({ ratio }) => ratio !== undefined);
  const left = 270;
  const scale = 420;
  const rowHeight = 26;
  const top = 44;
  const most = Math.max(1.2, ...bars.map(({ ratio }) => Math.ceil(ratio.max * 10) / 10));
  const width = left + scale * (most / 1.2) + 70;
  const x = (ratio) => (left + (ratio / 1.2) * scale).toFixed(1);
  const height = top + bars.length * rowHeight + 34;
  const ticks = Array.from({ length: Math.floor(most / 0.2) + 1 }, (_, index) => index * 0.2);
  const grid = ticks.map(
    (tick) =>
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${top - 6}" y2="${height - 30}" stroke="${Math.abs(tick - 1) < 1e-9 ? '#666' : '#ddd'}"/>` +
      `<text x="${x(tick)}" y="${height - 14}" text-anchor="middle" fill="#555">${tick.toFixed(1)}</text>`,
  );
  const rows = bars.map(({ arm, size, ratio }, index) => {
    const y = top + index * rowHeight;
    const middle = y + 9;
    const color = arm.aim === undefined ? '#8aa4c8' : ratio.median >= arm.aim ? '#4c9a63' : '#cf8a3c';
    const aim =
      arm.aim === undefined
        ? ''
        : `<line x1="${x(arm.aim)}" x2="${x(arm.aim)}" y1="${y - 2}" y2="${y + 20}" stroke="#b00" stroke-width="2"/>`;
    return (
      `<text x="${left - 8}" y="${y + 13}" text-anchor="end">${arm.title}, ${size}</text>` +
      `<rect x="${left}" y="${y}" width="${(x(ratio.median) - left).toFixed(1)}" height="18" fill="${color}"/>` +
      `<line x1="${x(ratio.min)}" x2="${x(ratio.max)}" y1="${middle}" y2="${middle}" stroke="#222"/>` +
      aim +
      `<text x="${(Number(x(ratio.max)) + 6).toFixed(1)}" y="${y + 13}">${ratio.median.toFixed(2)}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(0)} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="20" font-size="14">CPU time per request: floor divided by cache (1.0 = free; line = lowest to highest round; red = aim)</text>
${grid.join('\n')}
${rows.join('\n')}
</svg>
`;
}
