// What is cached, and what has ended it: handlers that look and change nothing.
import type { Invalidations, ListedEntries, ListedEntry } from '../contract/answers.js';
import type { EntryAt, TableView } from '../contract/look.js';
import { readKey } from '../entry/key.js';
import { decodeSegment } from '../entry/encode.js';
import { kindOf, tag } from '../entry/tags.js';
import { parseEntryQuery, parseLimit } from './entry-query.js';
import { notFound, type AdminAnswer, type AdminHandler } from './exchange.js';
import { invalidationShown } from './invalidation-log.js';
import type { FoundEntry } from './list-entries.js';
import { verdictOf } from './verdict.js';

const USUAL_INVALIDATIONS = 200;
const MOST_INVALIDATIONS = 500;
/** Of an entry in a list. */
const TAGS_SHOWN = 50;

const ok = <T>(body: T): AdminAnswer => ({ status: 200, body });

export const entries: AdminHandler = async ({ query }, { cache: { look } }) => {
  const page = await look.entries(parseEntryQuery(query));
  const shown = page.entries.map((one) => ({ ...entryInList(one), in_memory: look.isInMemory(one.key) }));
  return ok<ListedEntries>({ ...page, entries: shown });
};

function entryInList({ key, bytes, computeMs, endsAt, guard: { tags } }: FoundEntry): Omit<ListedEntry, 'in_memory'> {
  const { report, owner } = readKey(key) ?? { report: key, owner: '' };
  const ends_at = new Date(endsAt);
  return {
    key,
    type: typeIn(tags),
    report,
    owner,
    bytes,
    compute_ms: computeMs,
    ends_at,
    tags: tags.slice(0, TAGS_SHOWN),
  };
}

/** Every entry carries the tag of its type. */
function typeIn(tags: readonly string[]): string {
  const found = tags.find((one) => kindOf(one) === 'type') ?? '';
  return decodeSegment(found.slice(found.indexOf(':') + 1));
}

export const entry: AdminHandler = async ({ params: { key = '' } }, { cache: { look } }) => {
  const facts = await look.facts(key, []);
  const [first] = facts.found;
  if (first === undefined) throw notFound('There is no such entry; POST /explain tells why.');
  const { type, owner, createdAt, staleAt, deleteAt, asOf, epoch, computeMs, cost, status, etag, headers, tags } =
    first.entry;
  const { verdict, reason } = verdictOf({ ...facts, graceMs: look.policy(type)?.graceMs ?? 0 }, look.now());
  return ok({
    key,
    type,
    owner,
    verdict,
    reason,
    layers: facts.found.map(layerShown),
    created_at: new Date(createdAt),
    stale_at: new Date(staleAt),
    delete_at: new Date(deleteAt),
    age_ms: look.now() - createdAt,
    as_of: asOf,
    epoch,
    compute_ms: computeMs,
    ...(cost && { cost }),
    status,
    etag,
    header_names: headers.map(([name]) => name),
    tags: tagsShown(tags, facts.table),
  });
};

export const layerShown = ({ layer, bytes, entry: { coding } }: EntryAt): object => ({
  layer,
  bytes,
  ...(coding !== undefined && { coding }),
});

export const tagsShown = (tags: readonly string[], table: TableView | undefined): readonly object[] =>
  tags.map((one) => ({ tag: one, invalidated_at_seq: table?.seqs.get(one) ?? null }));

export const invalidations: AdminHandler = async ({ query }, { cache }) => {
  const limit = parseLimit(query['limit'], USUAL_INVALIDATIONS, MOST_INVALIDATIONS);
  const { invalidations: found, complete } = await cache.invalidations.read(limit);
  return ok<Invalidations>({ invalidations: found.map(invalidationShown), complete });
};

/** What a key tells that an entry under it would carry. @param type where it is known */
export function tagsOfKey(key: string, type: string | undefined): readonly string[] {
  const { report, user, tenant } = readKey(key) ?? {};
  return [
    ...(type === undefined ? [] : [tag('type', type)]),
    ...(report === undefined ? [] : [tag('report', report)]),
    ...(user === undefined ? [] : [tag('viewer', user)]),
    ...(tenant === undefined ? [] : [tag('tenant', tenant)]),
  ];
}
