// What users may say of versioned results, and what they may ask of them.
import type { Cost } from '../contract/costs.js';
import type { LayerName } from '../contract/store.js';
import type { LoaderRun } from '../contract/loader.js';
import { jsonCodec, type ValueCodec } from '../entry/value-codec.js';
import { count, onlyKnown, wrong } from './checks.js';
import type { LoaderOptions } from './options.js';
import { LOADER_OPTIONS, parsePolicy, type TypePolicy } from './parse.js';

/** Of what there are versions: one lesson, for example. */
export interface VersionedSubject {
  /** Part of the name of its cached copies, and of their `report:` tag. */
  readonly report: string | number | bigint;
  /** What else tells it from others: plain data, order of names does not matter. */
  readonly filters?: unknown;
  /** Whose it is, where tenants have versions of their own. @default one for all */
  readonly tenant?: string | number | bigint;
}

/** What the generator may know, and may say, of the version that it makes. */
export interface GenerationRun extends LoaderRun {
  /** 1 for the first. */
  readonly version: number;
  /** Why it is made anew. Absent: it is the first one, or nobody has said. */
  readonly reason?: string;
}

/** How people have voted. */
export interface Votes {
  readonly up: number;
  readonly down: number;
}

/** A version, as a selection sees it. */
export interface VersionSummary extends Votes {
  readonly version: number;
  readonly createdAt: Date;
  /** Enough votes, and enough of them up. */
  readonly approved: boolean;
  /** How often it was served. */
  readonly views: number;
  readonly reason?: string;
}

/** A version, as it is listed. */
export interface VersionListing extends VersionSummary {
  /** Who had it made, as the application has said. */
  readonly by?: string;
  /** What its run has told that it cost. */
  readonly cost?: Cost;
  /** How long its run took, ms. */
  readonly computeMs: number;
  readonly lastViewedAt?: Date;
  /** Served whatever the selection says. */
  readonly pinned: boolean;
  /** It is the one that readers get. */
  readonly served: boolean;
}

/**
 * Which version readers get, where none is pinned. `best`: approved ones first, then by votes up less votes down, then the
 * newest; `votes`: the same without approval; `newest`. A function returns the number of one of them; it has to be pure.
 */
export type VersionSelection = 'best' | 'votes' | 'newest' | ((versions: readonly VersionSummary[]) => number);

export interface VersionsOptions<T> extends LoaderOptions {
  /** Makes a version. What it throws reaches who has asked, and nothing is saved. */
  readonly generate: (subject: VersionedSubject, run: GenerationRun) => T | Promise<T>;
  /** @default 'best' */
  readonly select?: VersionSelection;
  /** When a version counts as approved: votes up less votes down, and the fraction of votes that are up. @default { net: 10, share: 0.8 } */
  readonly approval?: { readonly net?: number; readonly share?: number };
  /** Most versions of one subject; a further one is refused until another has been removed. @default 50 */
  readonly maxVersions?: number;
  /** How versions stand in the table. @default JSON, for what JSON can hold */
  readonly codec?: ValueCodec;
}

/** A version with where it came from. */
export interface VersionAnswer<T> {
  readonly value: T;
  readonly version: number;
  /** False: it was generated for this caller; by `regenerate` also for another who had asked for the same. */
  readonly cached: boolean;
  /** The layer that it was found in, or `loader`. */
  readonly source: LayerName | 'loader';
  /** It was found or made for another caller while this one waited. */
  readonly joined: boolean;
  /** When it was generated. */
  readonly createdAt: Date;
  readonly reason?: string;
  /** What its run has told that it cost. */
  readonly cost?: Cost;
}

/** Who wants a new version, and why. */
export interface Regeneration {
  /** At most 1,000 characters. */
  readonly reason?: string;
  /** Who asks for it, at most 190 characters; it is kept with the version. */
  readonly by?: string | number | bigint;
}

/** A page of subjects. */
export interface VersionedSubjects {
  readonly subjects: readonly {
    readonly report: string;
    readonly tenant?: string;
    /** As the cache writes them: JSON, where they are texts and numbers. */
    readonly filters: string;
    /** The highest number that a version has had. */
    readonly latest: number;
    readonly pinned?: number;
  }[];
  /** What to go on behind; absent: there are no more. */
  readonly next?: string;
}

/** Versioned results of one report type, kept for good in the database; memory and Redis in front of it. */
export interface Versions<T> {
  /**
   * The version that is served; where there is none, the first one is generated, once for all who ask meanwhile in all processes.
   * @throws what the generator throws; ERC_VERSIONS; ERC_SPEND, ERC_VALUE, ERC_FILTER_VALUE
   */
  get(subject: VersionedSubject): Promise<VersionAnswer<T>>;
  /**
   * Generates a further version, and returns it. Who asks for the same while it runs gets the same one (`joined`). Whether readers get it is
   * for the selection to say.
   * @throws as {@link get}; ERC_VERSION where there are as many as may be
   */
  regenerate(subject: VersionedSubject, why?: Regeneration): Promise<VersionAnswer<T>>;
  /**
   * All subjects that have had a version, page by page, in an order of no meaning.
   * @throws ERC_OPTION for a limit below one; ERC_VERSIONS
   */
  subjects(asked: { readonly limit: number; readonly after?: string }): Promise<VersionedSubjects>;
  /** All versions, the newest first; empty: none was generated yet. */
  list(subject: VersionedSubject): Promise<readonly VersionListing[]>;
  /** One version, served or not; it does not count as viewed. @throws ERC_VERSION where there is none */
  read(subject: VersionedSubject, version: number): Promise<VersionAnswer<T>>;
  /**
   * One vote for each voter, which he may change, or take back with `undefined`. In force when it resolves.
   * @throws ERC_VERSION where there is no such version
   */
  vote(
    subject: VersionedSubject,
    version: number,
    voter: string | number | bigint,
    vote: 'up' | 'down' | undefined,
  ): Promise<Votes & { readonly approved: boolean }>;
  /** Serves this version whatever the selection says. @throws ERC_VERSION where there is none */
  pin(subject: VersionedSubject, version: number): Promise<void>;
  /** Leaves it to the selection again. */
  unpin(subject: VersionedSubject): Promise<void>;
  /** Pins the version before the one that is served. @returns its number. @throws ERC_VERSION where there is none before it */
  rollback(subject: VersionedSubject): Promise<number>;
  /** Deletes a version with its votes; or all, and then the next reader has a first one generated. @throws ERC_VERSION */
  remove(subject: VersionedSubject, version?: number): Promise<void>;
}

export interface Approval {
  readonly net: number;
  readonly share: number;
}

export interface VersionsPolicy {
  readonly policy: TypePolicy;
  /** Of generations: what is made once is not made anew because time passes. */
  readonly generation: TypePolicy;
  readonly select: VersionSelection;
  readonly approval: Approval;
  readonly maxVersions: number;
  readonly codec: ValueCodec;
}

const VERSIONS_OPTIONS = [
  ...LOADER_OPTIONS,
  'generate',
  'select',
  'approval',
  'maxVersions',
  'codec',
] as const satisfies readonly (keyof VersionsOptions<unknown>)[];

const DEFAULT_NET = 10;
const DEFAULT_SHARE = 0.8;
const DEFAULT_MOST = 50;
/** No generation takes as long, and two of one subject would cost twice. */
const GENERATION_WAIT = '10m' as const;
/** Long enough for those who waited, short enough for who tries again. */
const GENERATION_REST = '5s';
/** What is made once is not made anew because time passes. */
const MADE_ONCE = { ttl: '1m', grace: '0s', refreshAhead: false, adaptiveTtl: false, softTimeout: '0s' } as const;

/** @throws ERC_OPTION */
export function parseVersions<T>(type: string, options: VersionsOptions<T>, base: TypePolicy): VersionsPolicy {
  const path = `versions(${type})`;
  if (typeof options !== 'object') throw wrong(path, options, 'its options');
  onlyKnown(options, VERSIONS_OPTIONS, `${path}.`);
  const {
    generate,
    select = 'best',
    approval = {},
    maxVersions = DEFAULT_MOST,
    codec = jsonCodec,
    ...loader
  } = options;
  if (typeof generate !== 'function') throw wrong(`${path}.generate`, generate, 'a function');
  if (typeof select !== 'function' && !['best', 'votes', 'newest'].includes(select))
    throw wrong(`${path}.select`, select, "'best', 'votes', 'newest' or a function");
  if (typeof approval !== 'object') throw wrong(`${path}.approval`, approval, '{ net, share }');
  onlyKnown(approval, ['net', 'share'], `${path}.approval.`);
  const { net = DEFAULT_NET, share = DEFAULT_SHARE } = approval;
  count(`${path}.approval.net`, net);
  if (typeof share !== 'number' || !(share >= 0 && share <= 1))
    throw wrong(`${path}.approval.share`, share, 'a number between 0 and 1');
  count(`${path}.maxVersions`, maxVersions);
  const { restAfterError = GENERATION_REST, ...served } = loader;
  // The versions' own tables keep them.
  const common = { wait: GENERATION_WAIT, ...served, persist: false };
  return {
    policy: parsePolicy({ ttl: '1h', ...common }, base, path),
    generation: parsePolicy({ ...common, ...MADE_ONCE, restAfterError }, base, path),
    select,
    approval: { net, share },
    maxVersions,
    codec,
  };
}

const LONGEST_REASON = 1000;
const LONGEST_NAME = 190;

/** @throws ERC_OPTION */
export function parseRegeneration({ reason, by }: Regeneration): {
  reason: string | undefined;
  by: string | undefined;
} {
  if (reason !== undefined && (typeof reason !== 'string' || reason.length > LONGEST_REASON))
    throw wrong('regenerate().reason', typeof reason, `a text of at most ${LONGEST_REASON} characters`);
  return {
    reason: reason === '' ? undefined : reason,
    by: by === undefined ? undefined : nameOf('regenerate().by', by),
  };
}

/** An id as the application has it; 7 and '7' are the same. @throws ERC_OPTION */
export function nameOf(option: string, name: string | number | bigint, longest = LONGEST_NAME): string {
  const usable =
    typeof name === 'number' ? Number.isFinite(name) : typeof name === 'bigint' || typeof name === 'string';
  const text = String(name);
  if (usable && text !== '' && text.length <= longest) return text;
  throw wrong(option, usable ? text.slice(0, 20) : typeof name, `an id of 1 to ${longest} characters`);
}
