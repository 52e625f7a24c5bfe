// Dialogs: a question before something is done, and a drawer for details. Focus goes back to where it was.
import { button, h, type Child } from './dom.js';

let titles = 0;

function dialogOf(kind: string, title: string, ...children: readonly Child[]): HTMLDialogElement {
  const id = `dialog-${++titles}`;
  const element = h('dialog', { class: kind, 'aria-labelledby': id }, h('h2', { id }, title), ...children);
  element.addEventListener('close', () => element.remove());
  document.body.append(element);
  return element;
}

/** Whether they want it. Escape means no; so does Enter, because "Cancel" has the focus. */
export function confirm(title: string, lines: readonly Child[], yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = button('Cancel', () => element.close());
    const go = button(yes, () => element.close('yes'), { class: 'danger' });
    const element = dialogOf(
      'question',
      title,
      ...lines.map((line) => h('p', {}, line)),
      h('p', { class: 'buttons' }, cancel, go),
    );
    element.addEventListener('close', () => resolve(element.returnValue === 'yes'));
    element.showModal();
    cancel.focus();
  });
}

/** @returns where its content goes, and how to close it */
export function drawer(title: string): { readonly body: HTMLElement; readonly close: () => void } {
  const body = h('div', { class: 'body' }, h('p', {}, 'Loading…'));
  const element = dialogOf(
    'drawer',
    title,
    button('Close', () => element.close(), { class: 'close' }),
    body,
  );
  element.showModal();
  return { body, close: () => element.close() };
}
