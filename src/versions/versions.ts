// Versioned results over cached values: what is served is looked up in the database, what is missing is generated once.
import type { Clock } from '../contract/clock.js';
import type { Cost } from '../contract/costs.js';
import { ReportCacheError } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Identity } from '../contract/identity.js';
import type { LookUpRun } from '../contract/loader.js';
import type { LayerName } from '../contract/store.js';
import { canonical } from '../entry/canonical.js';
import { sha256 } from '../entry/encode.js';
import { tag, type Tag } from '../entry/tags.js';
import { count } from '../options/checks.js';
import type { TypePolicy } from '../options/parse.js';
import {
  nameOf,
  parseRegeneration,
  type VersionAnswer,
  type VersionedSubject,
  type VersionListing,
  type Versions,
  type VersionsOptions,
  type VersionsPolicy,
  type VersionSummary,
  type Votes,
} from '../options/versions.js';
import { isApproved, selected } from './select.js';
import type { Overview, SqlVersions, SubjectChange, SubjectId, VersionRow } from './sql-versions.js';

/** What is asked of the cache. */
export interface VersionRequest {
  readonly type: string;
  readonly policy: TypePolicy;
  readonly report: VersionedSubject['report'];
  readonly identity: Identity;
  readonly share: 'tenant' | 'everyone';
  readonly filters: unknown;
  readonly tags: readonly Tag[];
}

/** How the cache has answered. */
export interface Answered<T> {
  readonly value: T;
  readonly cached: boolean;
  readonly joined: boolean;
  readonly source: LayerName | 'loader';
}

export interface VersionsParts {
  /** @throws ERC_VERSIONS while no connected database has the tables. */
  readonly database: () => SqlVersions;
  keyOf(request: VersionRequest): string;
  /** A cached value whose loader computes nothing. */
  lookUp<T>(request: VersionRequest, loader: (run: LookUpRun) => Promise<T>): Promise<Answered<T>>;
  /** A run: counted, limited, and shared by all who ask for it meanwhile. */
  run<T>(request: VersionRequest, loader: (run: LookUpRun) => Promise<T>): Promise<Answered<T>>;
  /** Somebody was served this one. */
  readonly viewed: (hash: string, version: number) => void;
  /** Everything that was viewed before is in the database. */
  readonly viewsTold: () => Promise<void>;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** A version as it stands in memory and Redis. */
interface Kept {
  readonly version: number;
  readonly body: Uint8Array;
  readonly createdAt: number;
  readonly reason: string | undefined;
  readonly cost: Cost | undefined;
  /** How the look-up came by it. */
  readonly generated: boolean;
}

/** What Express' own error handler answers with. */
const NOT_FOUND = { status: 404 } as const;
const CONFLICT = { status: 409 } as const;

const LONGEST_REPORT = 500;
const LONGEST_FILTERS = 4000;

export function createVersions<T>(
  type: string,
  options: Pick<VersionsOptions<T>, 'generate'>,
  policy: VersionsPolicy,
  parts: VersionsParts,
): Versions<T> {
  const { codec, select, approval, maxVersions } = policy;
  const { clock, emit } = parts;

  const summaryOf = (row: VersionRow): VersionSummary => ({
    version: row.version,
    createdAt: new Date(row.createdAt),
    up: row.up,
    down: row.down,
    approved: isApproved(row, approval),
    views: row.views,
    ...(row.reason !== undefined && { reason: row.reason }),
  });
  const servedOf = ({ pinned, versions }: Overview): number | undefined =>
    selected(versions.map(summaryOf), pinned, select);

  /** What is served, as the database has it now. */
  async function served({ hash }: SubjectId): Promise<VersionRow | undefined> {
    const overview = await parts.database().overview(hash);
    const version = servedOf(overview);
    return overview.versions.find((one) => one.version === version);
  }

  async function kept({ hash }: SubjectId, row: VersionRow, generated: boolean): Promise<Kept | undefined> {
    const { version, createdAt, reason, cost } = row;
    const body = await parts.database().body(hash, version);
    return body && { version, body, createdAt, reason, cost, generated };
  }

  function answer({ value, cached, joined, source }: Answered<Kept>): VersionAnswer<T> {
    const { version, body, createdAt, reason, cost, generated } = value;
    // What was looked up for this reader came from the database, and was cached there.
    const found = { cached: cached || !generated, source: cached || generated ? source : ('database' as const) };
    return {
      value: codec.decode(Buffer.from(body)) as T,
      version,
      ...found,
      joined,
      createdAt: new Date(createdAt),
      ...(reason !== undefined && { reason }),
      ...(cost && { cost }),
    };
  }

  /** @param after the newest version so far; 0: there is none. @returns the one that was made, and whether for this caller. */
  async function generate(
    subject: VersionedSubject,
    id: SubjectId,
    after: number,
    why: ReturnType<typeof parseRegeneration>,
  ): Promise<{ readonly version: number; readonly own: boolean }> {
    let own = false;
    const request = requestOf(subject, policy.generation, { subject: id.hash, after }, [runsTagOf(id)]);
    const { value: version } = await parts.run(request, async (run) => {
      // Somebody may have been faster, in a process that shares nothing with this one but the database.
      const { latest } = await parts.database().overview(id.hash);
      if (latest > after) return latest;
      const createdAt = clock.now();
      const began = clock.monotonic();
      const version = after + 1;
      const { reason, by } = why;
      const made = await options.generate(subject, {
        version,
        ...(reason !== undefined && { reason }),
        addTags: (tags) => run.addTags(tags),
        cost: (usage) => run.cost(usage),
      });
      const body = codec.encode(made);
      if (body.length > policy.policy.maxEntryBytes)
        throw new ReportCacheError('ERC_VALUE', `A version of ${body.length} bytes is larger than \`maxEntryBytes\`.`);
      const computeMs = clock.monotonic() - began;
      const added = await change(id, async (its, before) => {
        if (before.latest > after) return before.latest;
        await its.add(id.hash, { version, body, createdAt, computeMs, reason, by, cost: run.spent() });
        return version;
      });
      own = added === version;
      if (own) emit({ kind: 'version', type, change: 'added', version });
      return added;
    });
    return { version, own };
  }

  /** A change of one subject: where readers get another version by it, the cached copies of the one before go with its COMMIT. */
  async function change<R>(
    id: SubjectId,
    task: (its: SubjectChange, before: Overview) => Promise<R>,
    /** What has become of it. @default looked up */
    after: (its: SubjectChange, before: Overview, done: R) => Promise<Overview> | Overview = (its) =>
      its.overview(id.hash),
  ): Promise<R> {
    let now: number | undefined;
    let was: number | undefined;
    const result = await parts.database().change(id, async (its) => {
      const before = await its.overview(id.hash);
      was = servedOf(before);
      const done = await task(its, before);
      now = servedOf(await after(its, before, done));
      // Of what was not there, there are no copies.
      if (was !== now && was !== undefined) its.invalidate([tagOf(id)]);
      return done;
    });
    if (was !== now) emit({ kind: 'version', type, change: 'served', ...(now !== undefined && { version: now }) });
    return result;
  }

  function requestOf(
    { report, tenant }: VersionedSubject,
    typePolicy: TypePolicy,
    filters: unknown,
    tags: readonly Tag[],
  ): VersionRequest {
    const identity: Identity = tenant === undefined ? { user: '*' } : { user: tenant, tenant };
    return {
      type,
      policy: typePolicy,
      report,
      identity,
      share: tenant === undefined ? 'everyone' : 'tenant',
      filters,
      tags,
    };
  }

  function idOf({ report, filters = {}, tenant }: VersionedSubject): SubjectId {
    const named = nameOf(`versions(${type}): report`, report, LONGEST_REPORT);
    const whose = tenant === undefined ? undefined : nameOf(`versions(${type}): tenant`, tenant);
    const text = canonical(filters);
    if (text.length > LONGEST_FILTERS)
      throw new ReportCacheError('ERC_FILTER_VALUE', `The filters of a "${type}" are longer than ${LONGEST_FILTERS}.`);
    return {
      hash: sha256(JSON.stringify([type, named, whose ?? null, text])),
      type,
      report: named,
      tenant: whose,
      filters: text,
    };
  }

  function rowOf({ versions }: Overview, version: number): VersionRow {
    const row = versions.find((one) => one.version === version);
    if (row !== undefined) return row;
    throw new ReportCacheError('ERC_VERSION', `There is no version ${version}.`, NOT_FOUND);
  }

  return {
    async get(subject) {
      const id = idOf(subject);
      const request = requestOf(subject, policy.policy, { subject: id.hash }, [tagOf(id)]);
      const given = await parts.lookUp<Kept>(request, async (run) => {
        const began = clock.monotonic();
        const found = await served(id);
        if (found === undefined) await generate(subject, id, 0, { reason: undefined, by: undefined });
        const row = found ?? (await served(id));
        const value = row && (await kept(id, row, found === undefined));
        if (row === undefined || value === undefined)
          throw new ReportCacheError('ERC_VERSION', 'What was found has been removed meanwhile.', NOT_FOUND);
        if (row.cost) run.carry(row.cost);
        if (found !== undefined) tellFound(request, row, clock.monotonic() - began);
        return value;
      });
      parts.viewed(id.hash, given.value.version);
      return answer(given);
    },

    async regenerate(subject, why = {}) {
      const id = idOf(subject);
      const parsed = parseRegeneration(why);
      const { latest, versions } = await parts.database().overview(id.hash);
      if (versions.length >= maxVersions)
        throw new ReportCacheError(
          'ERC_VERSION',
          `There are ${versions.length} versions, as many as may be.`,
          CONFLICT,
        );
      const { version, own } = await generate(subject, id, latest, parsed);
      const row = rowOf(await parts.database().overview(id.hash), version);
      const value = await kept(id, row, true);
      if (value === undefined)
        throw new ReportCacheError('ERC_VERSION', `Version ${version} was removed meanwhile.`, NOT_FOUND);
      return answer({ value, cached: false, joined: !own, source: 'loader' });
    },

    async subjects({ limit, after = '' }) {
      const most = count('subjects(): limit', limit);
      const rows = await parts.database().subjects(type, most + 1, after);
      const subjects = rows.slice(0, most).map(({ report, tenant, filters, latest, pinned }) => ({
        report,
        filters,
        latest,
        ...(tenant !== undefined && { tenant }),
        ...(pinned !== undefined && { pinned }),
      }));
      const next = rows.length > most ? rows[most - 1]?.hash : undefined;
      return { subjects, ...(next !== undefined && { next }) };
    },

    async list(subject): Promise<readonly VersionListing[]> {
      const id = idOf(subject);
      await parts.viewsTold();
      const overview = await parts.database().overview(id.hash);
      const now = servedOf(overview);
      return overview.versions.map((row) => ({
        ...summaryOf(row),
        computeMs: row.computeMs,
        pinned: row.version === overview.pinned,
        served: row.version === now,
        ...(row.by !== undefined && { by: row.by }),
        ...(row.cost && { cost: row.cost }),
        ...(row.viewedAt !== undefined && { lastViewedAt: new Date(row.viewedAt) }),
      }));
    },

    async read(subject, version) {
      const id = idOf(subject);
      const row = rowOf(await parts.database().overview(id.hash), version);
      const value = await kept(id, row, false);
      if (value === undefined) throw new ReportCacheError('ERC_VERSION', `There is no version ${version}.`, NOT_FOUND);
      return answer({ value, cached: false, joined: false, source: 'database' });
    },

    async vote(subject, version, voter, vote) {
      const id = idOf(subject);
      const who = nameOf('vote(): the voter', voter);
      if (vote !== undefined && vote !== 'up' && vote !== 'down')
        throw new ReportCacheError('ERC_OPTION', `A vote is 'up', 'down' or undefined.`);
      const { up, down } = await change(
        id,
        async (its, before) => {
          const was = rowOf(before, version);
          const more = await its.vote(id.hash, version, who, vote);
          return { up: was.up + more.up, down: was.down + more.down };
        },
        (_its, before, votes) => withVotes(before, version, votes),
      );
      return { up, down, approved: isApproved({ up, down }, approval) };
    },

    async pin(subject, version) {
      const id = idOf(subject);
      await change(id, async (its, before) => its.pin(id.hash, rowOf(before, version).version));
    },

    async unpin(subject) {
      const id = idOf(subject);
      // Of what is not there nothing is to be kept either.
      const { latest } = await parts.database().overview(id.hash);
      if (latest > 0) await change(id, (its) => its.pin(id.hash, undefined));
    },

    async rollback(subject) {
      const id = idOf(subject);
      return change(id, async (its, before) => {
        const now = servedOf(before) ?? 0;
        const previous = before.versions.find(({ version }) => version < now);
        if (previous === undefined)
          throw new ReportCacheError('ERC_VERSION', `There is no version before ${now}.`, CONFLICT);
        await its.pin(id.hash, previous.version);
        return previous.version;
      });
    },

    async remove(subject, version) {
      const id = idOf(subject);
      await change(id, async (its, before) => {
        if (version !== undefined) rowOf(before, version);
        await its.remove(id.hash, version);
        // What has answered those who asked for it is not to be told again.
        its.invalidate([runsTagOf(id)]);
      });
      emit({ kind: 'version', type, change: 'removed', ...(version !== undefined && { version }) });
    },
  };

  /** For the ledger: found in the database, where an earlier run has left it. */
  function tellFound(request: VersionRequest, { createdAt, computeMs, cost }: VersionRow, durationMs: number): void {
    const facts = { type, layer: 'database' as const, coalesced: false, ageMs: clock.now() - createdAt, durationMs };
    emit({ kind: 'hit', key: parts.keyOf(request), ...facts, avoidedMs: computeMs, ...(cost && { cost }) });
  }
}

function tagOf({ hash }: SubjectId): Tag {
  return tag('version', hash);
}

/** Of its generations, which outlive a change of what is served, but not what they have made. */
function runsTagOf({ hash }: SubjectId): Tag {
  return tag('version', `${hash}-runs`);
}

function withVotes({ versions, ...rest }: Overview, version: number, votes: Votes): Overview {
  return { ...rest, versions: versions.map((row) => (row.version === version ? { ...row, ...votes } : row)) };
}
