// Pages by cursors: on to the next, back to the one before, and again from the first.
import { button, fill, h } from './dom.js';

export interface Pager {
  readonly element: HTMLElement;
  /** Where the page begins that is to be shown now; undefined: at the first. */
  readonly after: () => string | undefined;
  readonly first: () => void;
  /** @param next where the page behind begins; undefined: there is none */
  readonly offer: (next: string | undefined) => void;
}

/** @param load shows the page that {@link Pager.after} names */
export function pager(label: string, load: () => void): Pager {
  const element = h('nav', { class: 'buttons', 'aria-label': label });
  /** Of the pages up to this one; the first has none. */
  let cursors: (string | undefined)[] = [undefined];
  const back = (): void => {
    cursors.pop();
    load();
  };
  const on = (next: string): void => {
    cursors.push(next);
    load();
  };
  return {
    element,
    after: () => cursors.at(-1),
    first: () => {
      cursors = [undefined];
    },
    offer: (next) =>
      fill(
        element,
        cursors.length > 1 && button('Previous page', back),
        next !== undefined && button('Next page', () => on(next)),
      ),
  };
}
