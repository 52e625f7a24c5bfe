// The declared views of a cache: where each of them lies, what depends on it, and who keeps it.
import type { Clock } from '../contract/clock.js';
import type { EntityLike } from '../contract/entity-like.js';
import { errorText, ReportCacheError } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Invalidator } from '../contract/invalidation.js';
import type { RouteViews, ViewHealth } from '../contract/views.js';
import { allWithin } from '../core/running.js';
import { LATE, TimeLimit } from '../core/time-limit.js';
import { tableTag, tag } from '../entry/tags.js';
import { BOUNDS } from '../options/defaults.js';
import type { View, ViewPolicy, ViewSource } from '../options/views.js';
import type { Changes } from './changes.js';
import type { Refreshed, ViewDatabase } from './database.js';
import { ViewKeeper } from './keeper.js';
import { Turns } from './turns.js';

/** A connected DataSource. */
export interface ViewHost {
  /** Undefined: it has no materialised views. */
  readonly database: ViewDatabase | undefined;
  readonly connected: () => boolean;
  /** Undefined: it does not hold this entity. */
  tableOf(entity: EntityLike<unknown>): string | undefined;
  /** In SQL, quoted. */
  relationOf(name: string, schema: string | undefined): string;
}

export interface ViewsParts {
  readonly changes: Changes;
  readonly invalidator: Pick<Invalidator, 'invalidate'>;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** Where a view was found. */
interface Place {
  readonly host: ViewHost;
  readonly relation: string;
  /** What a report that reads it depends on through it. */
  readonly tags: readonly string[];
  /** Absent: no materialised view, it is read as it is. */
  readonly keeper?: ViewKeeper;
}

interface Declared extends View {
  readonly policy: ViewPolicy;
  place: Place | undefined;
}

/** How long `close()` waits for a refresh before it is broken off, and after that, ms. */
const CLOSE_MS = 1500;
const BREAK_OFF_MS = 300;
/** How long a reader waits to be told as of when a view is. */
const ANSWER_MS = 250;

export class Views {
  readonly #declared = new Map<string, Declared>();
  readonly #hosts = new Map<object, ViewHost>();
  readonly #turns = new Turns(BOUNDS.refreshes);
  /** The same question for all who ask while it is under way. */
  readonly #questions = new Map<ViewDatabase, Promise<ReadonlyMap<string, Refreshed> | undefined>>();
  #finding: Promise<void> = Promise.resolve();

  constructor(private readonly parts: ViewsParts) {}

  /** @throws ERC_VIEW for a name that is declared already. */
  declare(policy: ViewPolicy): View {
    const { name } = policy;
    if (this.#declared.has(name)) throw new ReportCacheError('ERC_VIEW', `The view "${name}" is declared twice.`);
    const one: Declared = {
      name,
      policy,
      place: undefined,
      get relation() {
        if (this.place === undefined) throw new ReportCacheError('ERC_VIEW', `Nobody knows yet where "${name}" is.`);
        return this.place.relation;
      },
      asOf: async () => (await this.#asOf([one])).get(name),
    };
    this.#declared.set(name, one);
    for (const host of this.#hosts.values())
      void this.#inTurn(() => this.#find(one, host)).catch((error: unknown) => {
        this.parts.emit({ kind: 'advice', code: 'ERC_VIEW', message: errorText(error) });
      });
    return one;
  }

  /** @throws ERC_VIEW for a name that is not declared. */
  of(names: readonly string[]): RouteViews | undefined {
    if (names.length === 0) return undefined;
    const views = names.map((name) => {
      const one = this.#declared.get(name);
      if (one !== undefined) return one;
      const known = [...this.#declared.keys()].join(', ') || 'none';
      throw new ReportCacheError('ERC_VIEW', `There is no view "${name}"; declared are ${known}.`);
    });
    return {
      tags: () => {
        const places = views.flatMap(({ place }) => place ?? []);
        return places.length === views.length ? places.flatMap(({ tags }) => tags) : undefined;
      },
      asOf: () => this.#asOf(views),
    };
  }

  /** @throws ERC_VIEW where a materialised view lies in it and the migration has not run. */
  connect(dataSource: object, host: ViewHost): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#hosts.has(dataSource)) return;
      this.#hosts.set(dataSource, host);
      for (const one of this.#declared.values()) await this.#find(one, host);
    });
  }

  disconnect(dataSource: object): Promise<void> {
    return this.#inTurn(async () => {
      const host = this.#hosts.get(dataSource);
      this.#hosts.delete(dataSource);
      if (host !== undefined) await this.#leave(host);
    });
  }

  /**
   * Brings all materialised views up to date. @returns names of those that were refreshed, and how many were up to date
   * @throws what has hindered the first that could not be; and when the signal says so
   */
  async refresh(signal: AbortSignal): Promise<{ readonly refreshed: readonly string[]; readonly current: number }> {
    const kept = [...this.#declared.values()].flatMap(({ name, place }) =>
      place?.keeper ? { name, keeper: place.keeper } : [],
    );
    const all = Promise.allSettled(kept.map(({ keeper }) => keeper.refresh()));
    const answers = await untilAborted(all, signal);
    const failed = answers.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const refreshed = kept.filter((_, at) => (answers[at] as { value?: string }).value === 'refreshed');
    return { refreshed: refreshed.map(({ name }) => name), current: kept.length - refreshed.length };
  }

  /** An invalidation was carried out, or tried. @param proved the store has taken it. */
  heard(tags: readonly string[], proved: boolean): void {
    for (const { place } of this.#declared.values()) place?.keeper?.heard(tags, proved);
  }

  get health(): readonly ViewHealth[] {
    return [...this.#declared.values()].flatMap(({ place }) => place?.keeper?.health ?? []);
  }

  async close(): Promise<void> {
    const hosts = [...this.#hosts.values()];
    this.#hosts.clear();
    await Promise.all(hosts.map((host) => this.#leave(host)));
  }

  async #leave(host: ViewHost): Promise<void> {
    const ended: Promise<void>[] = [];
    for (const one of this.#declared.values()) {
      if (one.place?.host !== host) continue;
      if (one.place.keeper) ended.push(one.place.keeper.close());
      one.place = undefined;
    }
    await allWithin(CLOSE_MS, ended, this.parts.clock);
    host.database?.abort();
    await allWithin(BREAK_OFF_MS, ended, this.parts.clock);
  }

  async #find(one: Declared, host: ViewHost): Promise<void> {
    const { policy, place } = one;
    // A materialised one goes before what another DataSource only reads.
    if (place?.keeper !== undefined) return;
    const sources = policy.sources.map((source) => tagOf(source, host));
    if (sources.includes(undefined)) return;
    const tags = sources.filter((found) => found !== undefined);
    const relation = host.relationOf(policy.name, policy.schema);
    const own = tag('view', policy.name);
    const found = (await host.database?.find(relation)) ?? 'plain';
    if (found === 'materialised') {
      const keeper = await this.#keep(policy, relation, tags, host);
      one.place = { host, relation, tags: [own], keeper };
      keeper.start();
      return;
    }
    const { query } = policy;
    if (found === 'absent' && query === undefined) {
      const message = `A DataSource that holds the sources of the view "${policy.name}" does not hold the view: what reads it is not cached.`;
      this.parts.emit({ kind: 'advice', code: 'view-absent', message });
      return;
    }
    const instead = query !== undefined && (host.database === undefined || found === 'absent');
    one.place ??= { host, relation: instead ? `(${query})` : relation, tags: [own, ...tags] };
  }

  async #keep(
    { name, delayMs, maxDelayMs, timeoutMs }: ViewPolicy,
    relation: string,
    tags: readonly string[],
    { database, connected }: ViewHost,
  ): Promise<ViewKeeper> {
    if (database === undefined || !(await database.isInstalled()))
      throw new ReportCacheError('ERC_VIEW', `The table that keeps the state of the view "${name}" is missing.`);
    return new ViewKeeper({
      ...this.parts,
      view: { name, relation },
      sources: tags,
      delayMs,
      maxDelayMs,
      timeoutMs,
      database,
      turns: this.#turns,
      connected,
    });
  }

  async #asOf(views: readonly Declared[]): Promise<ReadonlyMap<string, Date>> {
    const found = new Map<string, Date>();
    for (const { name, place } of views) {
      const { keeper, host } = place ?? {};
      if (keeper === undefined || host?.database === undefined) continue;
      const states = await this.#read(host.database);
      // What this process knows already is too old at worst, which promises too little.
      const asOf = states?.get(name)?.asOf ?? keeper.health.asOf;
      if (asOf !== undefined) found.set(name, asOf);
    }
    return found;
  }

  /** Undefined: no answer in time. Whoever asks may hold the connections that others wait for, and they his. */
  async #read(database: ViewDatabase): Promise<ReadonlyMap<string, Refreshed> | undefined> {
    let question = this.#questions.get(database);
    if (question === undefined) {
      question = database.read().catch(() => undefined);
      void question.then(() => this.#questions.delete(database));
      this.#questions.set(database, question);
    }
    const limit = new TimeLimit(ANSWER_MS, this.parts.clock);
    const answer = await limit.race(question);
    limit.cancel();
    return answer === LATE ? undefined : answer;
  }

  /** One at a time: two of them would each find that nobody keeps the view yet. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#finding.then(task);
    this.#finding = done.catch(() => undefined);
    return done;
  }
}

async function untilAborted<T>(waited: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let end = () => undefined as void;
  const aborted = new Promise<never>((_, reject) => {
    end = () => reject(signal.reason as Error);
    signal.addEventListener('abort', end);
  });
  return Promise.race([waited, aborted]).finally(() => signal.removeEventListener('abort', end));
}

/** Undefined: the host does not hold it. */
function tagOf(source: ViewSource, host: ViewHost): string | undefined {
  if (typeof source === 'object' && 'relation' in source) return tag('view', source.name);
  const table = host.tableOf(source);
  return table === undefined ? undefined : tableTag(table);
}
