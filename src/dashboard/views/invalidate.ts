// The form that invalidates what somebody names.
import { h, labelled, select } from '../dom.js';
import { invalidating } from '../invalidating.js';
import { notify } from '../notice.js';
import { card, type Parts } from '../view.js';

const BY = [
  ['report', 'a report: every copy'],
  ['user', 'a user: all that he looks at'],
  ['type', 'a report type'],
  ['key', 'one entry, by its key'],
  ['pattern', 'a pattern such as report:*:7:*'],
  ['tags', 'tags, separated by spaces'],
  ['event', 'an event of the application'],
  ['organization', 'an organisation'],
] as const;

export function invalidateCard({ api }: Parts): HTMLElement {
  if (!api.may('POST', '/invalidate'))
    return card('Invalidate', h('p', { class: 'quiet' }, 'Your account may look, but not invalidate.'));
  const by = select(BY, { name: 'by' });
  const value = h('input', { type: 'text', name: 'value', required: true, autocomplete: 'off', spellcheck: 'false' });
  const more = h('input', { type: 'text', name: 'more', autocomplete: 'off', spellcheck: 'false' });
  const moreField = labelled(
    'Facts',
    more,
    'such as student=5 presentation=3; of an organisation: resource=… semester=…',
  );
  const fit = (): void => {
    moreField.hidden = by.value !== 'event' && by.value !== 'organization';
  };
  by.addEventListener('change', fit);
  fit();

  const submit = (event: Event): void => {
    event.preventDefault();
    const named = namedBy(by.value, value.value.trim(), more.value);
    if (named === undefined) notify('Facts are pairs such as student=5.', 'bad');
    else void invalidating(api, named);
  };
  return card(
    'Invalidate',
    h(
      'form',
      { class: 'fields', 'aria-label': 'Invalidate', on: { submit } },
      labelled('What', by),
      labelled('Which', value),
      moreField,
      h('p', { class: 'field' }, h('button', { type: 'submit' }, 'Count, then ask…')),
    ),
  );
}

/** The body of the request; undefined where the facts are none. */
function namedBy(by: string, value: string, more: string): Record<string, unknown> | undefined {
  if (by === 'tags') return { tags: value.split(/\s+/) };
  if (by !== 'event' && by !== 'organization') return { [by]: value };
  const pairs =
    more.trim() === ''
      ? []
      : more
          .trim()
          .split(/\s+/)
          .map((pair) => pair.split('='));
  if (pairs.some((pair) => pair.length !== 2)) return undefined;
  const facts = Object.fromEntries(pairs) as Record<string, string>;
  return by === 'event' ? { event: value, facts } : { organization: value, ...facts };
}
