// Explains what a reader would get now: which key is meant, what is known of it, and who or what has ended it.
import type { Explanation } from '../contract/answers.js';
import type { Identity, Share } from '../contract/identity.js';
import type { ReadUrl } from '../contract/look.js';
import { identitySegment, reportKey } from '../entry/key.js';
import type { Look, ManagedCache } from './cache.js';
import { badRequest, textIn, type AdminContext, type AdminHandler } from './exchange.js';
import { invalidationShown } from './invalidation-log.js';
import { layerShown, tagsOfKey, tagsShown } from './look.js';
import { verdictOf, type Facts, type Verdict } from './verdict.js';

type Body = Readonly<Record<string, unknown>>;

/** An entry that may be meant. */
interface Meant extends Omit<ReadUrl, 'type' | 'graceMs'> {
  readonly type?: string;
  readonly graceMs?: number;
}

/** How a value may be shared, in the order in which it is looked for. */
const SHARES: readonly Share[] = ['user', 'role', 'tenant', 'everyone'];

const NAME_IT = 'Name the key, or type and report, or the url of a report.';

export const explain: AdminHandler = async ({ body }, context) => {
  const { cache } = context;
  const { look } = cache;
  const found = await firstThere(meantBy(body, context), look);
  const verdict = verdictOf(found.facts, look.now());
  const served = found.facts.found.find(({ layer }) => layer === verdict.layer) ?? found.facts.found[0];
  const { table } = found.facts;
  const type = found.meant.type ?? served?.entry.type;
  const told: Explanation = {
    key: found.meant.key ?? null,
    ...(type !== undefined && { type }),
    verdict: verdict.verdict,
    reason: verdict.reason,
    detail: verdict.detail,
    ...(verdict.layer && { layer: verdict.layer }),
    ...(served && { age_ms: look.now() - served.entry.createdAt, as_of: served.entry.asOf }),
    position: table ? { epoch: table.epoch, seq: table.seq } : null,
    layers: found.facts.found.map(layerShown),
    tags: tagsShown(served?.entry.tags ?? found.facts.tags, table),
    ...(await endedBy(verdict, found.facts, cache)),
  };
  return { status: 200, body: told };
};

interface Explained {
  readonly meant: Meant;
  readonly facts: Facts;
}

/** The first of them that is there, else the first. */
async function firstThere(meant: readonly Meant[], look: Look): Promise<Explained> {
  let first: Explained | undefined;
  for (const one of meant) {
    const facts = await factsOf(one, look);
    if (facts.found.length > 0) return { meant: one, facts };
    first ??= { meant: one, facts };
  }
  if (first === undefined) throw badRequest(NAME_IT);
  return first;
}

async function factsOf({ key, type, tags, graceMs, bypass }: Meant, look: Look): Promise<Facts> {
  const facts = await look.facts(key ?? '', tags);
  const policy = look.policy(type ?? facts.found[0]?.entry.type ?? '');
  const grace = graceMs ?? policy?.graceMs;
  const off = bypass ?? (policy?.off === true && graceMs === undefined ? { reason: 'ttl-zero' as const } : undefined);
  return { ...facts, ...(grace !== undefined && { graceMs: grace }), ...(off && { bypass: off }) };
}

function meantBy(body: Body, context: AdminContext): readonly Meant[] {
  const [key, url, type, report] = ['key', 'url', 'type', 'report'].map((name) => textIn(body, name));
  if ([key, url, type ?? report].filter((way) => way !== undefined).length !== 1)
    throw badRequest(`${NAME_IT} One of them.`);
  if (key !== undefined) return [{ key, tags: tagsOfKey(key, undefined) }];
  if (url !== undefined) return [byUrl(url, body, context)];
  if (type === undefined || report === undefined) throw badRequest('A value has a type and a report.');
  return byReport(type, report, body, context.cache);
}

/** How it is shared only the application knows, so each way is tried. */
function byReport(type: string, report: string, body: Body, { look, meant: meantOf }: ManagedCache): readonly Meant[] {
  const declared = declaredBy(type, report, body, meantOf);
  if (look.policy(type) === undefined && declared.length === 0)
    throw badRequest(`There is no report type "${type.slice(0, 64)}".`);
  const who = identityIn(body);
  const filters = body['filters'] ?? {};
  const meant = SHARES.flatMap((share): readonly Meant[] => {
    const identity = identitySegment(who, share);
    if (identity === undefined) return [];
    const key = reportKey({ type, report, identity, filters });
    return [{ key, type, tags: tagsOfKey(key, type) }];
  });
  // Nobody's is only what everybody shares.
  const nobody: Meant = { type, tags: [], bypass: { reason: 'no-identity' } };
  return [...declared, ...(who === undefined && declared.length === 0 ? [nobody] : []), ...meant];
}

/** Those that a loader makes. */
function declaredBy(type: string, report: string, body: Body, meantOf: ManagedCache['meant']): readonly Meant[] {
  const identity = identityIn(body);
  const filters = (body['filters'] ?? {}) as Readonly<Record<string, unknown>>;
  return meantOf(type, { report, ...(identity && { identity }), filters });
}

function byUrl(url: string, body: Body, { cache, origin }: AdminContext): Meant {
  const headers = Object.fromEntries(
    Object.entries((body['headers'] ?? {}) as Body).map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
  let read: ReadUrl | undefined;
  try {
    read = cache.look.url({ url, identity: identityIn(body), headers, origin });
  } catch {
    throw badRequest('The url cannot be read without being asked for: name the key, or type and report.');
  }
  if (read === undefined)
    throw badRequest(
      'No route is known that takes this url: name the key, or type and report. A process knows its routes from their first request on.',
    );
  return read;
}

function identityIn(body: Body): Identity | undefined {
  const [user, tenant, role] = ['user', 'tenant', 'role'].map((name) => textIn(body, name));
  return user === undefined
    ? undefined
    : { user, ...(tenant !== undefined && { tenant }), ...(role !== undefined && { role }) };
}

/** As far back as the log goes. */
async function endedBy(
  { by }: Verdict,
  { table }: Facts,
  { invalidations }: ManagedCache,
): Promise<Pick<Explanation, 'invalidated_by'>> {
  if (by === undefined || table === undefined) return {};
  const record = await invalidations.find(table.epoch, by.seq);
  return { invalidated_by: { ...by, ...(record && invalidationShown(record)) } };
}
