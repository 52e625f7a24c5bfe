// What users may say of a report that is made by a loader, and of warming.
import type { LoaderRun } from '../contract/loader.js';
import type { Reader, WarmLists, WarmProgress } from '../contract/warming.js';
import type { ParsedFilters } from '../entry/filters.js';
import { tag } from '../entry/tags.js';
import { count, onlyKnown, wrong } from './checks.js';
import { WARMING } from './defaults.js';
import { parseDuration, type Duration } from './duration.js';
import type { RouteOptions } from './options.js';
import { parseRoute, type RoutePolicy, type TypePolicy } from './parse.js';

/** Everything that a report is made of: what stands in its key, and nothing else. */
export interface Subject {
  readonly report: string;
  /** As far as the report is not shared: of one that a tenant shares there is a tenant only. */
  readonly identity: Reader;
  /** As the declared filters have parsed them. */
  readonly filters: ParsedFilters;
}

export interface LoadedReportOptions extends Omit<
  RouteOptions,
  'report' | 'tags' | 'views' | 'unknownParameters' | 'invalidParameters' | 'statuses'
> {
  /** Its name beside others of its type; a part of the key. @default the type */
  readonly name?: string;
  /** What the report is about; the viewer, the report and the type are added. The loader may add more. */
  readonly tags?: (subject: Subject) => readonly string[];
  /** Makes the report; it is sent as JSON. What it throws goes to Express, or to whoever warms, and nothing is stored. */
  readonly load: (subject: Subject, run: LoaderRun) => unknown;
  /** Whose reports can be made ready ahead. @default {}: those that are named, and those that were asked for before */
  readonly warm?: WarmLists;
}

export interface LoadedPolicy extends RoutePolicy {
  readonly name: string;
}

/** What is to be made ready: one of the members, of one declared report or of all. */
export interface WarmSelection {
  /** The name of a declared report. @default all that can be warmed so */
  readonly name?: string;
  /** Ids of reports, for all of their readers. */
  readonly reports?: readonly (string | number | bigint)[];
  readonly user?: string | number | bigint;
  readonly organization?: string | number | bigint;
  /** What readers have asked for in these hours of the week before, what was worth most first: requests × time to compute. */
  readonly learned?: true;
  readonly all?: true;
}

export interface WarmOptions {
  /** Computes anew what would be fresh for less than this from now, or for less than half of its ttl. @default '0s': what is fresh will do */
  readonly freshFor?: Duration;
  /** The run stops after so long. @default '5m' */
  readonly budget?: Duration;
  /** Computations at the same time. @default 2 */
  readonly concurrency?: number;
  /** A database that takes longer than this for an empty question is left alone for a moment; at last the run stops. @default '100ms' */
  readonly slowDatabase?: Duration;
  /** For `learned`: of how many hours, this one included. @default 2 */
  readonly hours?: number;
  /** Most reports of one run. @default 10000 */
  readonly most?: number;
  /** Only counts. @default false */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
  /** Called after each report; must not throw. */
  readonly onProgress?: (progress: WarmProgress) => void;
}

export interface WarmPolicy {
  readonly freshForMs: number;
  readonly budgetMs: number;
  readonly concurrency: number;
  readonly slowDatabaseMs: number;
  readonly hours: number;
  readonly most: number;
  readonly dryRun: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: WarmProgress) => void) | undefined;
}

/** @throws ERC_OPTION, ERC_FILTER */
export function parseLoaded(type: string, options: LoadedReportOptions, base: TypePolicy): LoadedPolicy {
  if (typeof options !== 'object' || options === null) throw wrong('report()', options, 'options with `load`');
  const { name = type, tags, load, warm = {}, ...route } = options;
  if (typeof load !== 'function') throw wrong('report().load', load, 'a function of the subject');
  if (tags !== undefined && typeof tags !== 'function') throw wrong('report().tags', tags, 'a function of the subject');
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw wrong('report().name', name, 'letters, digits, ".", "_" and "-"');
  onlyKnown(warm, ['all', 'report', 'user', 'organization'] satisfies (keyof WarmLists)[], 'report().warm.');
  for (const [of, list] of Object.entries(warm))
    if (typeof list !== 'function') throw wrong(`report().warm.${of}`, list, 'a function that lists targets');
  for (const option of ['report', 'views', 'unknownParameters', 'invalidParameters', 'statuses'] as const)
    if (option in route) throw wrong(`report().${option}`, Reflect.get(route, option), 'nothing: it is for cache()');
  // No loader sees what is not declared, so nothing can depend on it.
  return { ...parseRoute({ ...route, unknownParameters: 'ignore' }, base, 'report()'), name };
}

const WAYS = ['reports', 'user', 'organization', 'learned', 'all'] as const satisfies readonly (keyof WarmSelection)[];
type Way = (typeof WAYS)[number];

/** @returns the one way that is named. @throws ERC_OPTION */
export function parseSelection(selection: WarmSelection): Way {
  if (typeof selection !== 'object' || selection === null)
    throw wrong('warm()', selection, `one of ${WAYS.join(', ')}`);
  onlyKnown(selection, ['name', ...WAYS], 'warm().');
  const [way, second] = WAYS.filter((one) => selection[one] !== undefined);
  if (way === undefined || second !== undefined) throw wrong('warm()', second ?? way, `one of ${WAYS.join(', ')}`);
  const { reports, user, organization } = selection;
  if (reports !== undefined && !Array.isArray(reports)) throw wrong('warm().reports', reports, 'a list of ids');
  for (const id of [...(reports ?? []), user, organization]) if (id !== undefined) tag('report', id);
  if (way === 'learned' || way === 'all')
    if (selection[way] !== true) throw wrong(`warm().${way}`, selection[way], 'true');
  return way;
}

/** @throws ERC_OPTION */
export function parseWarm(options: WarmOptions): WarmPolicy {
  onlyKnown(
    options,
    [
      'freshFor',
      'budget',
      'concurrency',
      'slowDatabase',
      'hours',
      'most',
      'dryRun',
      'signal',
      'onProgress',
    ] satisfies (keyof WarmOptions)[],
    'warm().',
  );
  const { concurrency = WARMING.concurrency, hours = WARMING.hours, most = WARMING.most } = options;
  if (count('warm().concurrency', concurrency) > WARMING.mostAtOnce)
    throw wrong('warm().concurrency', concurrency, `${WARMING.mostAtOnce} at most`);
  if (count('warm().hours', hours) > WARMING.mostHours)
    throw wrong('warm().hours', hours, `${WARMING.mostHours} at most`);
  if (count('warm().most', most) > WARMING.mostTargets)
    throw wrong('warm().most', most, `${WARMING.mostTargets} at most`);
  return {
    freshForMs: parseDuration(options.freshFor ?? '0s', 'warm().freshFor'),
    budgetMs: parseDuration(options.budget ?? WARMING.budget, 'warm().budget'),
    concurrency,
    slowDatabaseMs: parseDuration(options.slowDatabase ?? WARMING.slowDatabase, 'warm().slowDatabase'),
    hours,
    most,
    dryRun: options.dryRun ?? false,
    signal: options.signal,
    onProgress: options.onProgress,
  };
}
