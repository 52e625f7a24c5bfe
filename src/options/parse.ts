// Raw options to resolved ones, once, when the cache is made: what is wrong is said here and changes nothing.
import type { Coding } from '../contract/entry.js';
import { ReportCacheError } from '../contract/errors.js';
import type { Share } from '../contract/identity.js';
import type { Coalesce } from '../contract/reading.js';
import type { Consistency } from '../contract/store.js';
import { ALL_CODINGS, CODINGS } from '../entry/codings.js';
import { checkFilters, type Filters } from '../entry/filters.js';
import { tag, tableTag } from '../entry/tags.js';
import { count, oneOf, onlyKnown, wrong } from './checks.js';
import { BOUNDS, DEFAULT_TYPES, DEFAULTS } from './defaults.js';
import { FOREVER_MS, parseDuration, parseSize, type Size } from './duration.js';
import { parseFreshness, type FreshnessPolicy } from './freshness.js';
import type {
  CompressOptions,
  ConnectOptions,
  LoaderOptions,
  ReportCacheOptions,
  RouteOptions,
  TypeOptions,
} from './options.js';

/** What the browser is told; a number is a lifetime in seconds. */
export type ResolvedBrowser = 'revalidate' | 'ttl' | 'no-store' | number;

export interface TypePolicy extends FreshnessPolicy {
  readonly ttlMs: number;
  readonly persist: boolean;
  readonly consistency: Consistency;
  readonly coalesce: Coalesce;
  /** Undefined: as long as the cache says. */
  readonly waitMs: number | undefined;
  readonly browser: ResolvedBrowser;
  readonly maxEntryBytes: number;
  /** No codings: switched off. */
  readonly compress: { readonly codings: readonly Coding[]; readonly minBytes: number };
}

/** Bytes of all entries of a layer, and of one owner's. */
interface Limits {
  readonly maxBytes: number;
  readonly maxBytesPerOwner: number;
}

export interface ResolvedOptions {
  /** Undefined: nobody has said. */
  readonly alone: boolean | undefined;
  readonly namespace: string;
  readonly version: string;
  readonly cacheName: string;
  readonly types: ReadonlyMap<string, TypePolicy>;
  readonly memory: Limits & { readonly maxTtlMs: number };
  readonly redisLimits: Limits;
  readonly persistLimits: Limits & { readonly maxBytesPerEntry: number };
  readonly databaseDeadlineMs: number;
  readonly leaseMs: number;
  readonly redisDeadlineMs: number;
  readonly lambdaMs: number;
  readonly holdMs: number;
  readonly onInvalidateError: 'hold' | 'answer';
  readonly mark: boolean;
  readonly markTtlMs: number;
  readonly onMarkError: 'proceed' | 'abort';
  readonly waitMs: number;
  readonly limits: {
    readonly maxWaiting: number;
    readonly maxComputing: number;
    readonly overload: 'compute' | 'refuse';
  };
}

const CACHE_OPTIONS = [
  'identify',
  'redis',
  'alone',
  'namespace',
  'version',
  'types',
  'memory',
  'lease',
  'redisDeadline',
  'redisMaxBytes',
  'redisMaxBytesPerUser',
  'persistMaxBytes',
  'persistMaxBytesPerUser',
  'databaseDeadline',
  'lambda',
  'hold',
  'onInvalidateError',
  'mark',
  'markTtl',
  'onMarkError',
  'wait',
  'maxWaiting',
  'overload',
  'maxComputing',
  'costs',
  'cacheName',
  'logger',
  'onEvent',
  'observers',
  'tracer',
  'correlate',
] as const satisfies readonly (keyof ReportCacheOptions)[];
/** Of types, and of each route beside its own. */
const POLICY_OPTIONS = [
  'ttl',
  'persist',
  'consistency',
  'coalesce',
  'wait',
  'browser',
  'maxEntryBytes',
  'grace',
  'jitter',
  'refreshAhead',
  'adaptiveTtl',
  'compress',
] as const;
const TYPE_OPTIONS = [
  ...POLICY_OPTIONS,
  'softTimeout',
  'restAfterError',
  'hardTimeout',
] as const satisfies readonly (keyof TypeOptions)[];
/** Of resources and versions, beside their own: {@link LoaderOptions}. */
export const LOADER_OPTIONS = [
  'ttl',
  'consistency',
  'coalesce',
  'wait',
  'grace',
  'jitter',
  'refreshAhead',
  'adaptiveTtl',
  'softTimeout',
  'restAfterError',
  'hardTimeout',
] as const satisfies readonly (keyof LoaderOptions)[];
const ROUTE_OPTIONS = [
  ...POLICY_OPTIONS,
  'report',
  'filters',
  'tags',
  'tables',
  'views',
  'share',
  'unknownParameters',
  'invalidParameters',
  'requestDirectives',
  'statuses',
] as const satisfies readonly (keyof RouteOptions)[];

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
/** An RFC 9651 token, which is what Cache-Status puts in front. */
const TOKEN = /^[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]{0,63}$/;

/** @throws ERC_OPTION, ERC_IDENTIFY_REQUIRED */
export function parseOptions(options: ReportCacheOptions): ResolvedOptions {
  if (typeof options !== 'object') throw new ReportCacheError('ERC_OPTION', 'The options are missing.');
  onlyKnown(options, CACHE_OPTIONS, '');
  if (typeof options.identify !== 'function')
    throw new ReportCacheError('ERC_IDENTIFY_REQUIRED', '`identify` is missing.');
  const memory = options.memory ?? {};
  onlyKnown(memory, ['maxBytes', 'maxBytesPerUser', 'ttl'], 'memory.');
  const alone = options.redis === undefined;
  const namespace = options.namespace ?? DEFAULTS.namespace;
  if (!NAME.test(namespace)) throw wrong('namespace', namespace, 'letters, digits, ".", "_" and "-"');
  const version = options.version ?? DEFAULTS.version;
  if (!NAME.test(version)) throw wrong('version', version, 'letters, digits, ".", "_" and "-"');
  const cacheName = options.cacheName ?? DEFAULTS.cacheName;
  if (!TOKEN.test(cacheName)) throw wrong('cacheName', cacheName, 'a token such as reports');
  return {
    alone: options.alone === undefined ? undefined : oneOf('alone', options.alone, [true, false]),
    namespace,
    version,
    cacheName,
    types: parseTypes(options.types ?? {}),
    memory: {
      ...parseLimits(
        [memory.maxBytes ?? (alone ? DEFAULTS.memoryMaxBytes : DEFAULTS.replicaMaxBytes), 'memory.maxBytes'],
        [
          memory.maxBytesPerUser ?? (alone ? DEFAULTS.memoryMaxBytesPerUser : DEFAULTS.replicaMaxBytesPerUser),
          'memory.maxBytesPerUser',
        ],
      ),
      maxTtlMs:
        alone && memory.ttl === undefined ? Infinity : parseDuration(memory.ttl ?? DEFAULTS.replicaTtl, 'memory.ttl'),
    },
    redisLimits: parseLimits(
      [options.redisMaxBytes ?? DEFAULTS.redisMaxBytes, 'redisMaxBytes'],
      [options.redisMaxBytesPerUser ?? DEFAULTS.redisMaxBytesPerUser, 'redisMaxBytesPerUser'],
    ),
    persistLimits: {
      ...parseLimits(
        [options.persistMaxBytes ?? DEFAULTS.persistMaxBytes, 'persistMaxBytes'],
        [options.persistMaxBytesPerUser ?? DEFAULTS.persistMaxBytesPerUser, 'persistMaxBytesPerUser'],
      ),
      maxBytesPerEntry: BOUNDS.persistedEntryBytes,
    },
    databaseDeadlineMs: parseDuration(options.databaseDeadline ?? DEFAULTS.databaseDeadline, 'databaseDeadline'),
    leaseMs: parseDuration(options.lease ?? DEFAULTS.lease, 'lease'),
    redisDeadlineMs: parseDuration(options.redisDeadline ?? DEFAULTS.redisDeadline, 'redisDeadline'),
    lambdaMs: parseDuration(options.lambda ?? DEFAULTS.lambda, 'lambda'),
    holdMs: parseDuration(options.hold ?? DEFAULTS.hold, 'hold'),
    onInvalidateError: oneOf('onInvalidateError', options.onInvalidateError ?? DEFAULTS.onInvalidateError, [
      'hold',
      'answer',
    ]),
    mark: oneOf('mark', options.mark ?? DEFAULTS.mark, [true, false]),
    markTtlMs: parseDuration(options.markTtl ?? DEFAULTS.markTtl, 'markTtl'),
    onMarkError: oneOf('onMarkError', options.onMarkError ?? DEFAULTS.onMarkError, ['proceed', 'abort']),
    waitMs: parseDuration(options.wait ?? DEFAULTS.wait, 'wait'),
    limits: {
      maxWaiting: count('maxWaiting', options.maxWaiting ?? DEFAULTS.maxWaiting),
      maxComputing:
        options.maxComputing === undefined ? DEFAULTS.maxComputing : count('maxComputing', options.maxComputing),
      overload: oneOf('overload', options.overload ?? DEFAULTS.overload, ['compute', 'refuse']),
    },
  };
}

/** One user never has more than all: a small budget needs no second option. */
function parseLimits(all: readonly [Size, string], perUser: readonly [Size, string]): Limits {
  const maxBytes = parseSize(...all);
  return { maxBytes, maxBytesPerOwner: Math.min(parseSize(...perUser), maxBytes) };
}

function parseTypes(given: Readonly<Record<string, TypeOptions>>): Map<string, TypePolicy> {
  const types = new Map<string, TypePolicy>();
  for (const [name, options] of Object.entries({ ...DEFAULT_TYPES, ...given })) {
    tag('type', name);
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name) || name === 'report') {
      throw wrong('types', name, 'names of letters, digits, "-" and "_", other than "report"');
    }
    onlyKnown(options, TYPE_OPTIONS, `types.${name}.`);
    types.set(name, parsePolicy({ ...DEFAULT_TYPES[name], ...options }, undefined, `types.${name}`));
  }
  return types;
}

/** Merges what a route or type sets over a policy. */
export function parsePolicy(options: TypeOptions, base: TypePolicy | undefined, path: string): TypePolicy {
  const consistency = options.consistency ?? base?.consistency ?? DEFAULTS.consistency;
  oneOf(`${path}.consistency`, consistency, ['strict', 'lease', 'barrier']);
  const persist = oneOf(`${path}.persist`, options.persist ?? base?.persist ?? false, [true, false]);
  const ttlMs =
    options.ttl === undefined && base ? base.ttlMs : parseTtl(options.ttl ?? DEFAULT_TYPES['default']?.ttl, path);
  // What only memory and Redis keep is gone with them, and the tags of a hundred years would have to be kept there.
  if (ttlMs >= FOREVER_MS && !persist) throw wrong(`${path}.ttl`, 'forever', "'forever' only with `persist: true`");
  if (ttlMs >= FOREVER_MS && (options.browser ?? base?.browser) === 'ttl')
    throw wrong(`${path}.browser`, 'ttl', "no 'ttl' beside `ttl: 'forever'`: nothing can recall what a browser keeps");
  return {
    ttlMs,
    persist,
    consistency,
    coalesce: oneOf(`${path}.coalesce`, options.coalesce ?? base?.coalesce ?? DEFAULTS.coalesce, ['process', 'shared']),
    waitMs: options.wait === undefined ? base?.waitMs : parseDuration(options.wait, `${path}.wait`),
    browser:
      options.browser === undefined && base
        ? base.browser
        : parseBrowser(options.browser ?? DEFAULTS.browser, `${path}.browser`),
    maxEntryBytes:
      options.maxEntryBytes === undefined && base
        ? base.maxEntryBytes
        : parseSize(options.maxEntryBytes ?? DEFAULTS.maxEntryBytes, `${path}.maxEntryBytes`),
    ...parseFreshness(options, ttlMs, base, path),
    compress:
      options.compress === undefined && base
        ? base.compress
        : parseCompress(options.compress ?? true, `${path}.compress`),
  };
}

function parseTtl(ttl: TypeOptions['ttl'], path: string): number {
  return ttl === 'forever' ? FOREVER_MS : parseDuration(ttl, `${path}.ttl`);
}

function parseCompress(given: boolean | CompressOptions, option: string): TypePolicy['compress'] {
  const options = typeof given === 'boolean' ? {} : given;
  if (typeof options !== 'object') throw wrong(option, given, 'true, false, or { encodings, minBytes }');
  onlyKnown(options, ['encodings', 'minBytes'], `${option}.`);
  const { encodings = ALL_CODINGS, minBytes = DEFAULTS.compressMinBytes } = options;
  if (!Array.isArray(encodings) || encodings.length === 0 || encodings.some((one) => !ALL_CODINGS.includes(one)))
    throw wrong(`${option}.encodings`, encodings, `a list of ${ALL_CODINGS.join(', ')}`);
  const codings = given === false ? [] : encodings.filter((coding) => CODINGS.includes(coding));
  return { codings, minBytes: parseSize(minBytes, `${option}.minBytes`) };
}

function parseBrowser(browser: NonNullable<TypeOptions['browser']>, option: string): ResolvedBrowser {
  if (browser === 'revalidate' || browser === 'ttl' || browser === 'no-store') return browser;
  return Math.floor(parseDuration(browser, option) / 1000);
}

export interface RoutePolicy extends TypePolicy {
  readonly filters: Filters;
  readonly tableTags: readonly string[];
  readonly share: Share;
  readonly unknownParameters: 'bypass' | 'ignore' | 'refuse';
  readonly invalidParameters: 'refuse' | 'bypass';
  readonly requestDirectives: 'honour' | 'ignore';
  readonly statuses: ReadonlySet<number>;
}

/** @throws ERC_OPTION, ERC_FILTER */
export function parseRoute(options: RouteOptions, base: TypePolicy, path = 'cache()'): RoutePolicy {
  onlyKnown(options, ROUTE_OPTIONS, `${path}.`);
  const filters = options.filters ?? {};
  checkFilters(filters);
  for (const name of ['report', 'tags'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw wrong(`${path}.${name}`, options[name], 'a function of the request');
  }
  const statuses = options.statuses ?? [200];
  if (!statuses.every((status) => Number.isInteger(status) && status >= 200 && status <= 599)) {
    throw wrong(`${path}.statuses`, statuses, 'HTTP statuses');
  }
  return {
    ...parsePolicy(options, base, path),
    filters,
    tableTags: (options.tables ?? []).map((table) => tableTag(table)),
    share: oneOf(`${path}.share`, options.share ?? DEFAULTS.share, ['user', 'role', 'tenant', 'everyone']),
    unknownParameters: oneOf(`${path}.unknownParameters`, options.unknownParameters ?? DEFAULTS.unknownParameters, [
      'bypass',
      'ignore',
      'refuse',
    ]),
    invalidParameters: oneOf(`${path}.invalidParameters`, options.invalidParameters ?? DEFAULTS.invalidParameters, [
      'refuse',
      'bypass',
    ]),
    requestDirectives: oneOf(`${path}.requestDirectives`, options.requestDirectives ?? DEFAULTS.requestDirectives, [
      'honour',
      'ignore',
    ]),
    statuses: new Set(statuses),
  };
}

const CONNECT_OPTIONS = [
  'durable',
  'notify',
  'fencedAnswers',
  'persist',
] as const satisfies readonly (keyof ConnectOptions)[];

/** @throws ERC_OPTION */
export function checkConnectOptions(options: ConnectOptions): void {
  onlyKnown(options, CONNECT_OPTIONS, 'connect().');
  for (const name of CONNECT_OPTIONS)
    if (options[name] !== undefined) oneOf(`connect().${name}`, options[name], [true, false]);
}
