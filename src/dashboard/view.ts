// What a view of the page is, and what all of them are given.
import type { Api } from './api.js';
import { h, type Child } from './dom.js';
import type { Hears } from './shapes.js';
import type { State } from './state.js';

export interface Parts {
  readonly api: Api;
  readonly state: State;
}

export interface View {
  readonly id: string;
  readonly title: string;
  readonly element: HTMLElement;
  /** It is looked at now: whatever it shows is to be asked for. */
  readonly shown: () => void;
  /** Events of the stream by name; heard whether it is looked at or not. */
  readonly on?: Hears;
}

export function viewOf(id: string, title: string, ...children: readonly Child[]): HTMLElement {
  return h('section', { id, class: 'view', hidden: true }, h('h2', { tabindex: -1 }, title), ...children);
}

/** A part of a view, with a heading. */
export function card(title: string, ...children: readonly Child[]): HTMLElement {
  return h('section', { class: 'card' }, h('h3', {}, title), ...children);
}

export const notAvailable = (what: string): HTMLElement =>
  h('p', { class: 'quiet' }, `${what} not available in this application.`);
