// Figures to plots: ratios as bars, growth as lines.
import { verdicts } from './judge.mjs';

/** Bars of the ratios with their spread, and a mark at the aim. */
export function plotRatios(results) {
  const bars = results.filter(({ ratio }) => ratio !== undefined);
  const met = new Map(verdicts(results).map((one) => [one.result, one.met]));
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
  const rows = bars.map((result, index) => {
    const { arm, size, ratio } = result;
    const y = top + index * rowHeight;
    const middle = y + 9;
    const color = arm.peer ? '#b9b9b9' : !met.has(result) ? '#8aa4c8' : met.get(result) ? '#4c9a63' : '#cf8a3c';
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
<text x="12" y="20" font-size="14">CPU time per request: floor divided by cache (1.0 = free; grey = other caches; red = aim)</text>
${grid.join('\n')}
${rows.join('\n')}
</svg>
`;
}

const COLORS = ['#2f6f4f', '#c0392b', '#2c6fbb', '#8e44ad', '#7f8c8d', '#b9770e'];
const PANEL = { width: 420, height: 300, left: 60, top: 50 };

/** Two panels on logarithmic axes: time of an invalidation over Redis, by all entries and by those under its tag. */
export function plotGrowth(growth) {
  const drawn = growth.filter(({ layer, invalidation }) => layer === 'redis' && invalidation !== undefined);
  const caches = [...new Map(drawn.map(({ cache }) => [cache.name, cache])).values()];
  const panels = [
    panel(drawn, caches, { curve: 'entries', of: 'entries', title: 'entries in all', shift: 0 }),
    panel(drawn, caches, { curve: 'share', of: 'share', title: 'entries under the tag', shift: PANEL.width + 60 }),
  ];
  const legend = caches.map(
    ({ title }, index) =>
      `<text x="${PANEL.left + index * 150}" y="${PANEL.top + PANEL.height + 50}" fill="${COLORS[index]}">■ ${title}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * PANEL.width + 190} ${PANEL.height + 120}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="20" font-size="14">Invalidation of one tag over Redis, ms</text>
${panels.join('\n')}
${legend.join('\n')}
</svg>
`;
}

function panel(drawn, caches, { curve, of, title, shift }) {
  const rows = drawn.filter((row) => row.curve === curve);
  const exponents = (values) => [
    Math.floor(Math.log10(Math.min(...values)) + 1e-9),
    Math.max(1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9)),
  ];
  const [least, most] = exponents(rows.map((row) => row[of]));
  const [low, high] = exponents(rows.map((row) => row.invalidation));
  const left = PANEL.left + shift;
  const bottom = PANEL.top + PANEL.height;
  const x = (value) => (left + ((Math.log10(value) - least) / (most - least)) * PANEL.width).toFixed(1);
  const y = (value) => (bottom - ((Math.log10(value) - low) / (high - low)) * PANEL.height).toFixed(1);
  const steps = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
  const grid = [
    ...steps(least, most).map(
      (value) =>
        `<line x1="${x(value)}" x2="${x(value)}" y1="${PANEL.top}" y2="${bottom}" stroke="#ddd"/>` +
        `<text x="${x(value)}" y="${bottom + 16}" text-anchor="middle" fill="#555">${value.toLocaleString('en')}</text>`,
    ),
    ...steps(low, high).map(
      (value) =>
        `<line x1="${left}" x2="${left + PANEL.width}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>` +
        `<text x="${left - 6}" y="${Number(y(value)) + 4}" text-anchor="end" fill="#555">${value}</text>`,
    ),
    `<text x="${left + PANEL.width / 2}" y="${bottom + 32}" text-anchor="middle">${title}</text>`,
  ];
  const lines = caches.map(({ name }, index) => {
    const points = rows.filter(({ cache }) => cache.name === name).map((row) => `${x(row[of])},${y(row.invalidation)}`);
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${COLORS[index]}" stroke-width="2"/>`;
  });
  return [...grid, ...lines].join('\n');
}
