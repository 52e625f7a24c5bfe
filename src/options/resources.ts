// What users may say of an organisation's resources, and what they may ask of them.
import { ReportCacheError } from '../contract/errors.js';
import { OWN_KINDS, tag, tableTag } from '../entry/tags.js';
import type { ValueCodec } from '../entry/value-codec.js';
import { onlyKnown, wrong } from './checks.js';
import type { LoaderOptions, TypeOptions } from './options.js';
import { LOADER_OPTIONS, parsePolicy, type TypePolicy } from './parse.js';

/** An organisation or a semester, as the application names it; 7 and '7' are the same. */
export type ResourceId = string | number | bigint;

/** For whom a resource is loaded. */
export interface ResourceScope {
  readonly organization: ResourceId;
  /** Undefined: all of them. */
  readonly semester: ResourceId | undefined;
  /** Adds tags that became known while loading. */
  addTags(tags: Iterable<string>): void;
}

/** The other resources, as a loader sees them: those that are not named in its `from` throw ERC_RESOURCE when they are read. */
export type Sources<M, K extends keyof M> = { readonly [N in Exclude<keyof M, K>]: M[N] };

/** One resource of the shape `M`. */
export interface ResourceOptions<M, K extends keyof M> extends LoaderOptions, Pick<TypeOptions, 'persist'> {
  /** Tables that it is read from: any write to one of them invalidates it, for all organisations. */
  readonly tables?: readonly string[];
  /** Resources that it is derived from. Whatever invalidates one of them, or what that is derived from, invalidates it. */
  readonly from?: readonly Exclude<keyof M, K>[];
  /**
   * Whether semesters differ in it. `false`: whichever is asked for, it is one and the same value, loaded and kept once; its
   * loader gets no semester, and a change of any semester is one of it. @default true
   */
  readonly bySemester?: boolean;
  /** @default Node's structured clone, for plain data: rows as objects, not entities, which are instances of classes */
  readonly codec?: ValueCodec;
  /** Loads it. What it throws reaches who has asked, and nothing is stored. @param sources those of `from`, cached */
  readonly load: (sources: Sources<M, K>, scope: ResourceScope) => M[K] | Promise<M[K]>;
}

export type ResourceDeclarations<M> = { readonly [K in keyof M]: ResourceOptions<M, K> };

/** What is to be invalidated: of one organisation, or of all; one resource, or all; one semester, or all. */
export interface ResourceSelection<M> {
  readonly organization?: ResourceId;
  /** @default 'all' */
  readonly resource?: (keyof M & string) | 'all';
  /** Needs an organisation. What was loaded for all semesters goes too. */
  readonly semester?: ResourceId;
}

/** What came of warming. */
export interface Warmed<M> {
  readonly total: number;
  /** They are cached now, or were. */
  readonly loaded: readonly (keyof M & string)[];
  readonly failed: readonly (keyof M & string)[];
}

/** Resources of organisations: each cached by itself, and all that is derived from it invalidated with it. */
export interface Resources<M> {
  /** @throws what the loader throws, or that of a source; ERC_TAG for an empty id; and what `getOrLoad` throws */
  get<K extends keyof M & string>(resource: K, organization: ResourceId, semester?: ResourceId): Promise<M[K]>;
  /** In one step, whatever the number of entries. @returns the tags it came to. @throws ERC_RESOURCE, ERC_TAG */
  invalidate(what: ResourceSelection<M>): Promise<readonly string[]>;
  /** Loads all that is not cached. A loader that fails stops no other. */
  warm(organization: ResourceId, semester?: ResourceId): Promise<Warmed<M>>;
}

export interface ResourcePolicy {
  readonly name: string;
  readonly policy: TypePolicy;
  readonly from: readonly string[];
  readonly bySemester: boolean;
  readonly tableTags: readonly string[];
}

const RESOURCE_OPTIONS = [
  ...LOADER_OPTIONS,
  'persist',
  'tables',
  'from',
  'bySemester',
  'codec',
  'load',
] as const satisfies readonly (keyof ResourceOptions<object, never>)[];

/** An entry carries five tags for each resource that it is made of, and may have 256. */
const MOST = 40;

/** @param types report types, whose names would mean two things. @throws ERC_OPTION, ERC_RESOURCE */
export function parseResources(
  declared: Readonly<Record<string, ResourceOptions<Record<string, unknown>, string>>>,
  base: TypePolicy,
  types: ReadonlySet<string>,
): ResourcePolicy[] {
  const names = Object.keys(declared);
  if (names.length > MOST)
    throw new ReportCacheError('ERC_RESOURCE', `${names.length} resources in one declaration; ${MOST} at most.`);
  return Object.entries(declared).map(([name, options]) => {
    tag(name, 'x');
    const taken = ['all', 'organization', ...OWN_KINDS, ...types];
    if (taken.includes(name)) throw new ReportCacheError('ERC_RESOURCE', `The name "${name}" is taken.`);
    const path = `resources().${name}`;
    onlyKnown(options, RESOURCE_OPTIONS, `${path}.`);
    if (typeof options.load !== 'function') throw wrong(`${path}.load`, options.load, 'a function');
    const { bySemester = true } = options;
    if (typeof bySemester !== 'boolean') throw wrong(`${path}.bySemester`, bySemester, 'true or false');
    const from: readonly string[] = options.from ?? [];
    const unknown = from.find((source) => !names.includes(source));
    if (unknown !== undefined)
      throw new ReportCacheError(
        'ERC_RESOURCE',
        `"${name}" names "${unknown}" in its \`from\`, which is not declared.`,
      );
    return {
      name,
      policy: parsePolicy(options, base, path),
      from,
      bySemester,
      tableTags: (options.tables ?? []).map((table) => tableTag(table)),
    };
  });
}
