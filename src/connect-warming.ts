// Composition: declared reports made ready ahead: whose, by which run, and what was learned of their readers.
import type { Reader as Cached } from './contract/reading.js';
import type { SpendGate } from './contract/costs.js';
import { errorName, ReportCacheError } from './contract/errors.js';
import type { RedisLike } from './contract/redis-like.js';
import type { Asked, WarmReport, WarmRun, WarmTarget } from './contract/warming.js';
import { makeReady } from './core/make-ready.js';
import { DeclaredReports, type Declared, type DeclaredReportsParts } from './declared-reports.js';
import { WARMING } from './options/defaults.js';
import { parseSelection, parseWarm, type WarmOptions, type WarmSelection } from './options/loaded.js';
import { redisKeys } from './stores/redis/redis-keys.js';
import { Demand } from './warming/demand.js';
import { OwnDemand } from './warming/own-demand.js';
import { RedisDemand } from './warming/redis-demand.js';
import type { WarmJob } from './warming/run.js';
import { WarmRuns, type RunsParts } from './warming/runs.js';
import { upTo } from './warming/targets.js';

export interface WarmingParts extends Omit<DeclaredReportsParts, 'asked'> {
  readonly reader: Cached;
  readonly gate: SpendGate | undefined;
  readonly namespace: string;
  readonly version: string;
  readonly redis: RedisLike | undefined;
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
  /** An empty question to the database; undefined: none is connected. */
  readonly askDatabase: () => (() => Promise<unknown>) | undefined;
  /** Around the making of each report, for whoever watches. */
  readonly watched: RunsParts['watched'];
}

/** A report of a run, without the single failures. */
export type WarmSummary = Omit<WarmReport, 'failures'>;

/** What else belongs to an organisation. */
type ResourceJobs = (organization: string) => readonly WarmJob[];

export class Warming {
  readonly declared: DeclaredReports;
  readonly #resources: ResourceJobs[] = [];
  readonly #demand: Demand;
  readonly #runs: WarmRuns;

  constructor(private readonly parts: WarmingParts) {
    const { redis, namespace, version, inTime, clock, emit, askDatabase, watched } = parts;
    const nameOf = redisKeys(namespace, version, '').demand;
    const shared =
      redis === undefined
        ? new OwnDemand(WARMING.learnedPerHour)
        : new RedisDemand({ client: redis, nameOf, most: WARMING.learnedPerHour, inTime });
    this.#demand = new Demand({ shared, flushMs: WARMING.learnedFlushMs, most: WARMING.learnedPerProcess, clock });
    const demand = this.#demand;
    this.declared = new DeclaredReports({ ...parts, asked: (key, ms, what) => demand.count(key, ms, what) });
    this.#runs = new WarmRuns({ askDatabase, bounds: WARMING, watched, clock, emit });
  }

  /** Newest first. */
  get runs(): readonly WarmRun[] {
    return this.#runs.states;
  }

  addResources(jobs: ResourceJobs): void {
    this.#resources.push(jobs);
  }

  /** @throws ERC_OPTION, ERC_OVERLOADED, ERC_TAG */
  async warm(selection: WarmSelection, options: WarmOptions = {}): Promise<WarmReport> {
    const way = parseSelection(selection);
    const policy = parseWarm(options);
    const { name } = selection;
    const list = () => this.#jobs(selection, way, policy.freshForMs, policy.most, policy.hours);
    return this.#runs.begin({ way, ...(name !== undefined && { name }) }, policy, list);
  }

  /**
   * `daily`: all that the declared reports list, and what readers asked for in these hours of the week. `expiring`: what is asked
   * for at this hour, and would end before the next run.
   * @returns how far each came, without whose reports they were
   */
  async scheduled(what: 'daily' | 'expiring', signal: AbortSignal): Promise<Readonly<Record<string, WarmSummary>>> {
    const run = async (selection: WarmSelection, options: WarmOptions): Promise<WarmSummary> => {
      const { failures: _, ...summary } = await this.warm(selection, { ...options, signal });
      return summary;
    };
    const { daily, expiring } = WARMING.scheduled;
    if (what === 'expiring') return { learned: await run({ learned: true }, expiring) };
    const lists = this.declared.all.some(({ options }) => options.warm?.all !== undefined);
    // What is worth most comes first, should time run out.
    const learned = await run({ learned: true }, daily);
    return { learned, ...(lists && { all: await run({ all: true }, { ...daily, most: WARMING.mostTargets }) }) };
  }

  /** Those that are named. @throws ERC_OPTION, ERC_OVERLOADED */
  async warmTargets(name: string, targets: Iterable<WarmTarget>, options: WarmOptions = {}): Promise<WarmReport> {
    const policy = parseWarm(options);
    this.declared.known(name);
    const list = async () =>
      (await upTo(policy.most, targets)).map((target) => this.#job(name, target, policy.freshForMs));
    return this.#runs.begin({ way: 'targets', name }, policy, list);
  }

  /** Resolves when what runs in the background has ended. */
  drained(): Promise<void> {
    this.#runs.close();
    return this.declared.drained();
  }

  /** Tells what readers have asked for. Never rejects. */
  close(): Promise<void> {
    this.#runs.close();
    return this.#demand.flush();
  }

  async #jobs(
    selection: WarmSelection,
    way: string,
    freshForMs: number,
    most: number,
    hours: number,
  ): Promise<readonly WarmJob[]> {
    const jobs: WarmJob[] = [];
    const add = async (name: string, list: () => Parameters<typeof upTo>[1]) => {
      try {
        for (const target of await upTo(most - jobs.length, list())) jobs.push(this.#job(name, target, freshForMs));
      } catch (error) {
        // A list that fails stops no other.
        jobs.push({ type: this.declared.known(name).type, report: '*', make: () => Promise.reject(error as Error) });
      }
    };
    if (selection.learned === true) {
      for (const { name, ...target } of await this.#learned(hours))
        if (jobs.length < most && this.declared.has(name) && (selection.name ?? name) === name)
          jobs.push(this.#job(name, target, freshForMs));
      return jobs;
    }
    const { reports = [], user, organization } = selection;
    for (const { policy, options } of this.#thatList(selection.name, way)) {
      const { all, report, user: ofUser, organization: ofOrganization } = options.warm ?? {};
      for (const id of reports) await add(policy.name, () => report?.(String(id)) ?? []);
      if (user !== undefined) await add(policy.name, () => ofUser?.(String(user)) ?? []);
      if (organization !== undefined) await add(policy.name, () => ofOrganization?.(String(organization)) ?? []);
      if (selection.all === true) await add(policy.name, () => all?.() ?? []);
    }
    if (organization !== undefined && selection.name === undefined)
      for (const resources of this.#resources) jobs.push(...resources(String(organization)));
    return jobs.slice(0, most);
  }

  /** Nothing is learned where Redis does not answer. */
  #learned(hours: number): Promise<Asked[]> {
    return this.#demand.learned(hours).catch((error: unknown) => {
      throw new ReportCacheError('ERC_REDIS', `What was asked for before is not known: ${errorName(error)}.`);
    });
  }

  /** @throws ERC_OPTION where none can be warmed this way */
  #thatList(name: string | undefined, way: string): readonly Declared[] {
    const list = way === 'reports' ? 'report' : way;
    const lists = ({ options }: Declared) => options.warm !== undefined && Reflect.has(options.warm, list);
    if (name !== undefined) {
      const declared = this.declared.known(name);
      if (!lists(declared))
        throw new ReportCacheError('ERC_OPTION', `The report "${name}" has no list \`warm.${list}\`.`);
      return [declared];
    }
    const found = this.declared.all.filter(lists);
    const resources = way === 'organization' && this.#resources.length > 0;
    if (found.length === 0 && !resources)
      throw new ReportCacheError('ERC_OPTION', `No report has a list \`warm.${list}\`.`);
    return found;
  }

  #job(name: string, target: WarmTarget, freshForMs: number): WarmJob {
    const { type } = this.declared.known(name);
    const user = target.identity?.user;
    return {
      type,
      report: String(target.report),
      ...(user !== undefined && { user: String(user) }),
      make: async () => {
        const { request, subject } = this.declared.requestFor(name, target, freshForMs);
        return makeReady(request, this.declared.making(name, subject), this.parts);
      },
    };
  }
}
