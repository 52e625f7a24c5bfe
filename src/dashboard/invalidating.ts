// Invalidates what was named: counted first, asked about, then done.
import { sorry, type Api } from './api.js';
import { confirm } from './dialog.js';
import { figure, h } from './dom.js';
import { count } from './format.js';
import { notify } from './notice.js';
import type { WouldGo } from './shapes.js';

/** @returns whether it was done */
export async function invalidating(api: Api, named: Readonly<Record<string, unknown>>): Promise<boolean> {
  try {
    const found = await api.post<WouldGo>('invalidate', { ...named, dry_run: true });
    const tags = found.tags ?? [];
    const shown =
      tags.length > 5 ? `${tags.slice(0, 5).join(', ')} and ${count(tags.length - 5)} more` : tags.join(', ');
    const lines = [counted(found), h('span', {}, `Under: ${shown}`)];
    if (found.exact === false)
      lines.push(h('span', {}, 'More goes with it than the pattern says: it comes to whole tags.'));
    if (!(await confirm('Invalidate?', lines, 'Invalidate'))) return false;
    await api.post('invalidate', named);
    notify('Invalidated. Who asks next gets it computed anew.');
    return true;
  } catch (error) {
    notify(sorry(error), 'bad');
    return false;
  }
}

/** How many entries would go. */
export function counted({ entries: { memory, redis } }: WouldGo): HTMLElement {
  if (redis === undefined) return h('span', {}, figure(memory, count(memory)), ' entries would go, of this process.');
  return h(
    'span',
    {},
    figure(redis, count(redis)),
    ' entries would go, ',
    figure(memory, count(memory)),
    ' of them in this process’s memory, too.',
  );
}
