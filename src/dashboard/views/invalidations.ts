// What is invalidated, while it happens: the change, what it came to, and how many entries that means now.
import { sorry } from '../api.js';
import { button, fill, figure, h } from '../dom.js';
import * as format from '../format.js';
import { perFrame } from '../frame.js';
import { counted } from '../invalidating.js';
import type { Invalidation, Invalidations, WouldGo } from '../shapes.js';
import { card, viewOf, type Parts, type View } from '../view.js';
import { invalidateCard } from './invalidate.js';

const MOST_ROWS = 200;
/** More would be no batch of a person's eye. */
const TAGS_SHOWN = 8;
const SAY_AGAIN_MS = 10_000;

export function invalidations(parts: Parts): View {
  const { api } = parts;
  const list = h('ol', { class: 'happenings', 'aria-label': 'Invalidations, newest first' });
  const said = h('p', { role: 'status', class: 'quiet' }, 'New ones appear by themselves.');
  const nothing = h(
    'p',
    { class: 'nothing', hidden: true },
    'Nothing was invalidated yet: no data has changed under a report.',
  );
  /** Newest first; what is shown, or will be. */
  let kept: readonly Invalidation[] = [];
  let waiting: Invalidation[] = [];
  const shownBy = new WeakMap<Element, Invalidation>();
  let heard = 0;
  let paused = false;
  let saidAt = -Infinity;

  const pause = button('Pause', () => {
    paused = !paused;
    pause.textContent = paused ? 'Go on' : 'Pause';
    draw();
  });
  const element = viewOf(
    'invalidations',
    'Invalidations',
    card('As they happen', h('div', { class: 'bar' }, said, pause), nothing, list),
    invalidateCard(parts),
  );

  const showWhether = (): void => {
    nothing.hidden = kept.length > 0;
  };

  const draw = perFrame(() => {
    if (element.hidden || paused || waiting.length === 0) return;
    for (const one of waiting) place(one);
    waiting = [];
    while (list.childElementCount > MOST_ROWS) list.lastElementChild?.remove();
    showWhether();
  });

  /** Those of other processes come a moment later than this one's own: each is put where it belongs. */
  const place = (one: Invalidation): void => {
    const older = [...list.children].find((shown) => byNewest(shownBy.get(shown) ?? one, one) >= 0);
    list.insertBefore(row(one), older ?? null);
  };

  const row = (one: Invalidation): HTMLElement => {
    const made = rowOf(one, parts);
    shownBy.set(made, one);
    return made;
  };

  /** @param told oldest first; what is known already comes again, from those who tell late */
  const add = (told: readonly Invalidation[]): number => {
    const known = new Set(kept.map(nameOf));
    const added = told.filter((one) => !known.has(nameOf(one)));
    kept = newestFirst([...added, ...kept]);
    waiting = [...waiting, ...added].slice(-MOST_ROWS);
    draw();
    return added.length;
  };

  /** What was not heard comes between what was. */
  const merge = (told: readonly Invalidation[]): void => {
    const all = new Map([...kept, ...told].map((one) => [nameOf(one), one]));
    kept = newestFirst([...all.values()]);
    waiting = [];
    fill(list, ...kept.map(row));
    showWhether();
  };

  const shown = (): void => {
    if (paused) return;
    void api.get<Invalidations>('invalidations').then(
      (told) => merge(told.invalidations),
      (error: unknown) => fill(said, sorry(error)),
    );
  };

  return {
    id: 'invalidations',
    title: 'Invalidations',
    element,
    shown,
    on: {
      invalidation: ({ invalidations: told, more }) => {
        heard += add(told) + more;
        const now = performance.now();
        if (!element.hidden && now - saidAt > SAY_AGAIN_MS) {
          saidAt = now;
          fill(said, figure(heard, format.count(heard)), ' since you came.');
        }
      },
    },
  };
}

/** Numbers begin anew with each history. */
const nameOf = ({ epoch, seq }: Invalidation): string => `${epoch} ${seq}`;

const newestFirst = (all: Invalidation[]): readonly Invalidation[] => all.sort(byNewest).slice(0, MOST_ROWS);

/** By their moments, those of one moment by their numbers. */
const byNewest = (one: Invalidation, other: Invalidation): number =>
  one.at === other.at ? other.seq - one.seq : one.at < other.at ? 1 : -1;

/** Changed tables and rows come first: what else there is follows from them. */
function rowOf(one: Invalidation, { api }: Parts): HTMLElement {
  const changed = one.tags.filter((tag) => tag.startsWith('table:'));
  const followed = one.tags.filter((tag) => !tag.startsWith('table:'));
  const entries = h('span', { class: 'entries' });
  const howMany = async (): Promise<void> => {
    try {
      fill(entries, counted(await api.post<WouldGo>('invalidate', { tags: one.tags, dry_run: true })));
    } catch (error) {
      fill(entries, sorry(error));
    }
  };
  if (api.may('POST', '/invalidate')) entries.append(button('Count entries', () => void howMany(), { class: 'link' }));
  return h(
    'li',
    {},
    h('time', { datetime: one.at }, format.timeOfDay(one.at)),
    h('span', { class: 'cause' }, one.cause),
    changed.length > 0 && chips('changed', changed, 0),
    changed.length > 0 && h('span', { class: 'arrow', 'aria-hidden': 'true' }, '→'),
    followed.length > 0 && chips('tags', followed, one.count - one.tags.length),
    entries,
  );
}

function chips(kind: string, tags: readonly string[], untold: number): HTMLElement {
  const more = Math.max(0, tags.length - TAGS_SHOWN) + Math.max(0, untold);
  return h(
    'span',
    { class: `chips ${kind}` },
    ...tags.slice(0, TAGS_SHOWN).map((tag) => h('code', {}, tag)),
    more > 0 && h('span', {}, `and ${format.count(more)} more`),
  );
}
