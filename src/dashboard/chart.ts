// A chart of lines over the last day, with a legend and a table that says the same.
import uPlot from 'uplot';
import { h } from './dom.js';
import { hourAndMinute } from './format.js';
import { perFrame } from './frame.js';
import type { Lines } from './series.js';
import { table } from './table.js';

const HEIGHT = 220;
/** Lines differ by more than their colour. */
const DASHES = [[], [8, 4], [2, 3], [12, 3, 2, 3], [5, 5], [1, 4]];
const dark = matchMedia('(prefers-color-scheme: dark)');

export interface ChartOptions {
  readonly title: string;
  readonly format: (value: number) => string;
  /** Bounds of the axis; absent: as the values have it. */
  readonly range?: readonly [number, number];
  /** For values that lie far apart. */
  readonly logarithmic?: boolean;
}

export class Chart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #plot = h('div', { class: 'plot', role: 'img' });
  readonly #legend = h('ul', { class: 'legend' });
  readonly #table = h('div');
  readonly #details: HTMLDetailsElement;
  readonly #draw = perFrame(() => this.#drawNow());
  #lines: Lines = { x: [], lines: [] };
  #drawn = '';
  #chart: uPlot | undefined;

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#details = h(
      'details',
      { on: { toggle: () => this.#fillTable() } },
      h('summary', {}, `${options.title}: as a table`),
      this.#table,
    );
    this.element = h(
      'figure',
      { class: 'card chart' },
      h('figcaption', {}, h('h3', {}, options.title)),
      this.#legend,
      this.#plot,
      this.#details,
    );
    dark.addEventListener('change', () => {
      this.#drawn = '';
      this.#draw();
    });
    new ResizeObserver(() => this.#draw()).observe(this.#plot);
  }

  show(lines: Lines): void {
    this.#lines = lines;
    this.#draw();
  }

  #drawNow(): void {
    const width = this.#plot.clientWidth;
    if (width === 0) return;
    const { x, lines } = this.#lines;
    const data = [x, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
    const shape = lines.map(({ name }) => name).join('\n');
    if (this.#chart === undefined || shape !== this.#drawn) {
      this.#chart?.destroy();
      this.#chart = new uPlot(this.#plotOptions(width), data, this.#plot);
      this.#drawn = shape;
      this.#legend.replaceChildren(
        ...lines.map(({ name }, at) => h('li', {}, h('span', { class: `swatch line-${at}` }), name)),
      );
    } else {
      if (this.#chart.width !== width) this.#chart.setSize({ width, height: HEIGHT });
      this.#chart.setData(data);
    }
    this.#plot.setAttribute('aria-label', this.#inWords());
    if (this.#details.open) this.#fillTable();
  }

  #plotOptions(width: number): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const { format, range, logarithmic } = this.#options;
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
    /** Lines at powers of ten only: nine more between them are a hatching. */
    const filter = (_: uPlot, splits: number[]) =>
      splits.map((value) => (logarithmic && !Number.isInteger(Math.log10(value)) ? null : value));
    const scale = logarithmic ? { distr: 3 as const, log: 10 as const } : {};
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: {}, y: { ...scale, ...(range && { range: [range[0], range[1]] as [number, number] }) } },
      axes: [
        { ...axis, values: (_, splits) => splits.map((at) => hourAndMinute(at * 1000)), space: 70, size: 30 },
        {
          ...axis,
          size: 62,
          filter,
          grid: { ...axis.grid, filter },
          values: (_, splits) => splits.map((value) => (value === null ? '' : format(value))),
        },
      ],
      series: [
        {},
        ...this.#lines.lines.map(({ name }, at) => ({
          label: name,
          stroke: colour(`--line-${at}`),
          width: at === 0 ? 2.5 : 1.75,
          dash: DASHES[at] ?? [],
          spanGaps: false,
          points: { size: 5, fill: colour(`--line-${at}`) },
        })),
      ],
    };
  }

  /** The last value of each line. */
  #inWords(): string {
    const { lines } = this.#lines;
    const latest = lines.flatMap(({ name, values }) => {
      const value = values.findLast((one) => one !== null);
      return value === undefined || value === null ? [] : [`${name} ${this.#options.format(value)}`];
    });
    return `${this.#options.title}, last 24 hours. ${latest.length === 0 ? 'No values yet.' : `Latest: ${latest.join(', ')}.`}`;
  }

  #fillTable(): void {
    if (!this.#details.open) return this.#table.replaceChildren();
    const { x, lines } = this.#lines;
    const rows = x.map((_, at) => at).filter((at) => lines.some(({ values }) => values[at] !== null));
    this.#table.replaceChildren(
      table(
        `${this.#options.title}, in steps of five minutes`,
        [
          { title: 'Time', cell: (at: number) => hourAndMinute((x[at] ?? 0) * 1000) },
          ...lines.map(({ name, values }) => ({
            title: name,
            figures: true,
            cell: (at: number) => {
              const value = values[at];
              return value === null || value === undefined ? '–' : this.#options.format(value);
            },
          })),
        ],
        rows.toReversed(),
      ),
    );
  }
}
