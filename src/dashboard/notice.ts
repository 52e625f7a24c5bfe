// One line at the bottom of the page, which screen readers read out.
import { h } from './dom.js';

const SHOWN_MS = 8000;
let hide: ReturnType<typeof setTimeout> | undefined;

export function notify(text: string, kind: 'good' | 'bad' = 'good'): void {
  const line = document.getElementById('notice');
  if (line === null) return;
  clearTimeout(hide);
  line.className = kind;
  line.replaceChildren(h('span', {}, text));
  hide = setTimeout(() => line.replaceChildren(), SHOWN_MS);
}
