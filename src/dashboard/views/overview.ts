// The first look: figures of the day, health, and three charts.
import { Chart } from '../chart.js';
import { figure, fill, h, type Child } from '../dom.js';
import * as format from '../format.js';
import { perFrame } from '../frame.js';
import { lastOf } from '../last-of.js';
import { hitRates, latencies, layerShares, typeRows } from '../series.js';
import type { Health } from '../shapes.js';
import type { Known } from '../state.js';
import { card, viewOf, type Parts, type View } from '../view.js';

/** What to make of a reason; the words of the API are for programs. */
const REASONS: Readonly<Record<string, string>> = {
  'store-unreachable': 'Redis does not answer: reports are computed.',
  'breaker-open': 'Redis has failed so often that readers do not ask it for a while: reports are computed.',
  'database-failing': 'The database that keeps persisted reports has failed too often; it is not asked for a while.',
  'watermark-dead': 'No sweeper vouches for what is cached: reports are computed.',
  fenced: 'The database follows another Redis than this process.',
  'invalidations-late': 'Redis has refused invalidations, which are tried again.',
  'sweeps-failing': 'The outbox cannot be read, or Redis not be told.',
  'rows-set-aside': 'The outbox has rows that nobody could read.',
  'views-failing': 'A materialised view cannot be refreshed.',
  closed: 'The cache was closed.',
};

export function overview({ api, state }: Parts): View {
  const tiles = h('div', { class: 'tiles' });
  const reasons = h('div', { class: 'reasons' });
  const sizes = h('div');
  const welcome = h(
    'p',
    { class: 'card welcome', hidden: true },
    'Nobody has asked for a report in the last 24 hours. Once somebody does, figures appear here by themselves.',
  );
  const rates = new Chart({ title: 'Hit rate by type', format: format.share, range: [0, 1] });
  const layers = new Chart({ title: 'Who answered', format: format.share, range: [0, 1] });
  const times = new Chart({ title: 'Time of a hit and of a miss', format: format.duration, logarithmic: true });
  const element = viewOf(
    'overview',
    'Overview',
    reasons,
    welcome,
    tiles,
    h('div', { class: 'columns' }, rates.element, layers.element, times.element, card('Sizes and budgets', sizes)),
  );

  const draw = perFrame(() => {
    const { known } = state;
    if (known === undefined || element.hidden) return;
    welcome.hidden = known.total.total_requests > 0;
    showTiles(tiles, known);
    showSizes(sizes, known);
    rates.show(hitRates(known.series, Date.now()));
    layers.show(layerShares(known.series, Date.now()));
    times.show(latencies(known.series, Date.now()));
  });
  state.onChange(draw);

  const health = ({ state: stands, reasons: why }: Health): void => {
    const badge = document.getElementById('health');
    if (badge !== null) {
      badge.className = `state ${stands}`;
      badge.textContent = stands;
    }
    fill(reasons, ...why.map((reason) => h('p', { class: `reason ${stands}` }, REASONS[reason] ?? reason)));
  };

  const told = lastOf<Health>(health, () => undefined);

  return {
    id: 'overview',
    title: 'Overview',
    element,
    shown: () => {
      draw();
      told(api.get<Health>('health'));
    },
    on: { health: (event) => told(Promise.resolve(event)) },
  };
}

function showTiles(tiles: HTMLElement, known: Known): void {
  const { total, series, pace, process, complete } = known;
  const saved = typeRows(series).reduce((sum, { savedMs }) => sum + savedMs, 0);
  fill(
    tiles,
    tile('Hit rate', 'hit-rate', total.hit_rate, total.total_requests === 0 ? '–' : format.share(total.hit_rate)),
    tile('Requests', 'requests', total.total_requests, format.count(total.total_requests)),
    tile('Hits', 'hits', total.hits, format.count(total.hits)),
    tile('Misses', 'misses', total.misses, format.count(total.misses)),
    tile('Time saved', 'saved', saved, format.duration(saved), 'estimated'),
    tile('Requests a second', 'pace', pace ?? 0, pace === undefined ? '–' : format.count(pace), 'now'),
    process &&
      tile('Process memory', 'rss', process.rss, format.bytes(process.rss), `heap ${format.bytes(process.heap_used)}`),
    !complete && h('p', { class: 'reason degraded' }, 'Redis does not tell: these are the figures of one process.'),
  );
}

function tile(name: string, id: string, value: number, shown: string, small = 'last 24 hours'): HTMLElement {
  return h(
    'div',
    { class: 'tile', id: `tile-${id}` },
    h('span', { class: 'name' }, name),
    h('strong', {}, figure(value, shown)),
    h('small', {}, small),
  );
}

function showSizes(element: HTMLElement, { memory, redis }: Known): void {
  fill(
    element,
    budget('Memory of this process', memory.bytes, memory.maxBytes, memory.entries),
    redis?.bytes !== undefined && budget('Redis, all processes', redis.bytes, redis.max_bytes, redis.entries),
  );
}

function budget(name: string, bytes: number, most: number | undefined, entries: number | undefined): Child {
  const used = most === undefined ? format.bytes(bytes) : `${format.bytes(bytes)} of ${format.bytes(most)}`;
  const many = entries === undefined ? '' : `, ${format.count(entries)} entries`;
  return h(
    'div',
    { class: 'budget' },
    h('p', {}, name, h('span', {}, used + many)),
    most !== undefined && h('progress', { max: most, value: Math.min(bytes, most), 'aria-label': `${name}: ${used}` }),
  );
}
