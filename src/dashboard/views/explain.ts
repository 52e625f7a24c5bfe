// Why a reader gets, or does not get, his report from the cache.
import { sorry } from '../api.js';
import { fill, h, labelled, type Child } from '../dom.js';
import { dateAndTime } from '../format.js';
import { shownValue } from '../json.js';
import { lastOf } from '../last-of.js';
import type { Explanation } from '../shapes.js';
import { card, notAvailable, type Parts } from '../view.js';

const NAMES = [
  ['key', 'Key', 'alone, or one of the others with a user'],
  ['url', 'URL', undefined],
  ['type', 'Report type', undefined],
  ['report', 'Report', undefined],
  ['user', 'User', undefined],
  ['tenant', 'Tenant', undefined],
  ['role', 'Role', undefined],
] as const;

export function explainCard({ api }: Parts): HTMLElement {
  if (!api.has('POST', '/explain')) return card('Why is it cached, or not?', notAvailable('Explanations are'));
  const answer = h('div', { 'aria-live': 'polite', id: 'explanation' });
  const inputs = NAMES.map(([name]) => h('input', { type: 'text', name, autocomplete: 'off', spellcheck: 'false' }));
  const ask = (event: Event): void => {
    event.preventDefault();
    const body = Object.fromEntries(inputs.filter(({ value }) => value !== '').map(({ name, value }) => [name, value]));
    explained(api.post<Explanation>('explain', body));
  };
  const explained = lastOf<Explanation>(
    ({ verdict, reason, detail, invalidated_by: by, ...rest }) =>
      fill(
        answer,
        h('p', { class: 'verdict' }, h('strong', { class: `verdict-${verdict}` }, verdict), ` ${detail}`),
        by && h('p', { class: 'ended' }, ...endedBy(by)),
        shownValue({ reason, ...rest, ...(by && { invalidated_by: by }) }),
      ),
    (error) => fill(answer, h('p', { class: 'bad' }, sorry(error))),
  );
  return card(
    'Why is it cached, or not?',
    h(
      'form',
      { class: 'fields', 'aria-label': 'Explain', on: { submit: ask } },
      ...NAMES.map(([, text, hint], at) => labelled(text, inputs[at] ?? h('input'), hint)),
      h('p', { class: 'field' }, h('button', { type: 'submit' }, 'Explain')),
    ),
    answer,
  );
}

/** The log forgets: then there is only the tag. */
function endedBy({ tag, cause, at }: NonNullable<Explanation['invalidated_by']>): readonly Child[] {
  const why = cause === undefined ? '' : ` by “${cause}”`;
  const when = at === undefined ? '' : `, ${dateAndTime(at)}`;
  return ['Last invalidated under ', h('code', {}, tag), `${why}${when}.`];
}
