// What results have cost, and what hits have spared.
import { Problem, sorry } from '../api.js';
import { fill, figure, h } from '../dom.js';
import * as format from '../format.js';
import { lastOf } from '../last-of.js';
import type { CostDay, Costs } from '../shapes.js';
import { table, type Column } from '../table.js';
import { card, notAvailable, viewOf, type Parts, type View } from '../view.js';

const tokens = ({ inputTokens, outputTokens }: { inputTokens: number; outputTokens: number }) =>
  inputTokens + outputTokens;
const avoided = (day: CostDay, of: (one: CostDay['avoided'][string]) => number): number =>
  Object.values(day.avoided).reduce((sum, one) => sum + of(one), 0);
const amount = (value: number, { currency }: CostDay) => (currency === undefined ? '–' : format.money(value, currency));

const DAYS: readonly Column<CostDay>[] = [
  { title: 'Day', cell: ({ day }) => day },
  { title: 'Type', cell: ({ type }) => type },
  { title: 'Computed', figures: true, cell: ({ spent }) => figure(spent.runs, format.count(spent.runs)) },
  { title: 'Served', figures: true, cell: (day) => format.count(avoided(day, ({ times }) => times)) },
  { title: 'Tokens used', figures: true, cell: ({ spent }) => format.count(tokens(spent)) },
  { title: 'Tokens saved', figures: true, cell: (day) => format.count(avoided(day, tokens)) },
  { title: 'Money used', figures: true, cell: (day) => amount(day.spent.money, day) },
  {
    title: 'Money saved',
    figures: true,
    cell: (day) =>
      amount(
        avoided(day, ({ money }) => money),
        day,
      ),
  },
  { title: 'Time saved', figures: true, cell: (day) => format.duration(avoided(day, ({ ms }) => ms)) },
];

export function costs({ api }: Parts): View {
  const tiles = h('div', { class: 'tiles' });
  const days = h('div');
  const element = viewOf('costs', 'Costs', tiles, card('Day by day', days));

  const show = ({ summary, days: rows }: Costs): void => {
    const tile = (name: string, value: number, shown: string) =>
      h('div', { class: 'tile' }, h('span', { class: 'name' }, name), h('strong', {}, figure(value, shown)));
    fill(
      tiles,
      tile('Served without computing', summary.served, format.count(summary.served)),
      tile('Computed', summary.generated, format.count(summary.generated)),
      tile('Hit rate', summary.hitRate, format.share(summary.hitRate)),
      tile('Tokens saved', summary.tokensSaved, format.count(summary.tokensSaved)),
      tile('Tokens used', summary.tokensUsed, format.count(summary.tokensUsed)),
      ...Object.entries(summary.money).flatMap(([currency, { used, saved }]) => [
        tile('Money saved', saved, format.money(saved, currency)),
        tile('Money used', used, format.money(used, currency)),
      ]),
      tile('Time saved', summary.msSaved, format.duration(summary.msSaved)),
    );
    fill(
      days,
      table('What was spent and spared, by day and type', DAYS, rows.toReversed(), 'Nothing was computed yet.'),
    );
  };
  const told = lastOf<Costs>(show, (error) => {
    // Nothing is counted unless it was asked for.
    const isOff = error instanceof Problem && [400, 404, 405].includes(error.status);
    fill(tiles);
    fill(days, isOff ? notAvailable('Costs are') : h('p', {}, sorry(error)));
  });
  const shown = (): void => told(api.get<Costs>(`costs?from=${daysAgo(30)}`));
  return { id: 'costs', title: 'Costs', element, shown };
}

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
