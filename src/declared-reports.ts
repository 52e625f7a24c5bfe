// Composition: reports that are made of their key alone: what each is made of, by whom it is asked for, and what stands for a request.
import type { Request, RequestHandler } from 'express';
import type { Clock } from './contract/clock.js';
import { errorName, ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { LoaderRun } from './contract/loader.js';
import type { Load, ReadRequest } from './contract/reading.js';
import type { Asked, WarmTarget } from './contract/warming.js';
import { Background } from './core/background.js';
import { make, type Making } from './core/make-ready.js';
import { reportKey } from './entry/key.js';
import { describeRoute, reportTags, type Identify } from './http/describe.js';
import { answerLoaded, draftOf, sharedPart, subjectFrom } from './http/loaded.js';
import type { LoadedRoute, ResolvedRoute } from './http/route.js';
import type { LoadedPolicy, LoadedReportOptions, Subject } from './options/loaded.js';
import { filtersOf, segmentOf } from './warming/targets.js';

export interface DeclaredReportsParts {
  readonly identify: Identify;
  /** What a loader says of the computation that is under way in its asynchronous context. */
  readonly run: LoaderRun;
  /** Somebody has asked for a report, who was spared, or has waited for, so many ms. */
  readonly asked: (key: string, computeMs: number, what: () => Asked) => void;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** One declaration. */
export interface Declared {
  readonly type: string;
  readonly policy: LoadedPolicy;
  readonly options: LoadedReportOptions;
}

/** How a route reads its requests, for those whom `identify` names. */
export type DescribedBy = (identify: Identify) => ResolvedRoute['describe'];

/** What a route of a declared report consists of. */
export interface LoadedRouteParts {
  readonly describe: ResolvedRoute['describe'];
  /** The same for whoever asks about another's request. */
  readonly describedBy: DescribedBy;
  readonly loaded: LoadedRoute;
  readonly answer: RequestHandler;
}

export class DeclaredReports {
  readonly #declared = new Map<string, Declared>();
  readonly #background = new Background();

  constructor(private readonly parts: DeclaredReportsParts) {}

  get all(): readonly Declared[] {
    return [...this.#declared.values()];
  }

  get names(): readonly string[] {
    return [...this.#declared.keys()];
  }

  has(name: string): boolean {
    return this.#declared.has(name);
  }

  /** @throws ERC_OPTION */
  known(name: string): Declared {
    const declared = this.#declared.get(name);
    if (declared !== undefined) return declared;
    throw new ReportCacheError(
      'ERC_OPTION',
      `There is no report "${name.slice(0, 64)}"; there are ${this.names.join(', ') || 'none'}.`,
    );
  }

  /** @throws ERC_OPTION for a name that is taken */
  declare(type: string, policy: LoadedPolicy, options: LoadedReportOptions): void {
    const { name } = policy;
    if (this.#declared.has(name))
      throw new ReportCacheError('ERC_OPTION', `A report "${name}" is declared already; give this one a \`name\`.`);
    this.#declared.set(name, { type, policy, options });
  }

  /** How requests of a route become reports of this name. */
  routeOf(name: string, reportOf: (req: Request) => string | number | bigint): LoadedRouteParts {
    const { type, policy, options } = this.known(name);
    const { identify, run, clock } = this.parts;
    const { share, filters } = policy;
    const subjectBy = (who: Identify) => subjectFrom({ reportOf, identify: who, share, filters });
    const describedBy: DescribedBy = (who) => {
      const tags = (req: Request) => options.tags?.(subjectBy(who)(req)) ?? [];
      return describeRoute(type, { report: reportOf, tags }, policy, who, scopeOf(name));
    };
    const subjectOf = subjectBy(identify);
    const describe = describedBy(identify);
    const asked: LoadedRoute['asked'] = (req, key, computeMs) =>
      this.parts.asked(key, computeMs, () => ({ name, ...subjectOf(req) }));
    return {
      describe,
      describedBy,
      loaded: { asked, remake: (load, req) => this.#remake(load, this.making(name, subjectOf(req)), type) },
      answer: answerLoaded({ describe, subjectOf, load: options.load, run, asked, clock }),
    };
  }

  /** The entries that declared reports of a type, or of a name, would have for a target. */
  meant(typeOrName: string, target: WarmTarget): readonly Pick<ReadRequest, 'key' | 'type' | 'tags'>[] {
    const named = [...this.#declared.values()].filter(({ type, policy }) => [type, policy.name].includes(typeOrName));
    return named.flatMap(({ policy }) => {
      try {
        const { key, type, tags } = this.requestFor(policy.name, target, 0).request;
        return [{ key, type, tags }];
      } catch {
        // Not a target of this one.
        return [];
      }
    });
  }

  /** Resolves when what runs in the background has ended. */
  drained(): Promise<void> {
    return this.#background.drained();
  }

  /** What a reader's request would be. @throws where the target cannot be read */
  requestFor(
    name: string,
    { report, identity = {}, filters: given }: WarmTarget,
    freshForMs: number,
  ): { readonly request: ReadRequest; readonly subject: Subject } {
    const { type, policy, options } = this.known(name);
    const { share, filters, tableTags, ttlMs, freshness, consistency, coalesce, waitMs, persist } = policy;
    const owner = segmentOf(identity, share);
    const subject = {
      report: String(report),
      identity: sharedPart(identity, share),
      filters: filtersOf(filters, given),
    };
    const tags = reportTags({ type, tableTags, report, who: identity, share }, options.tags?.(subject) ?? []);
    return {
      subject,
      request: {
        key: reportKey({ type, report, identity: owner, filters: subject.filters, scope: scopeOf(name) }),
        type,
        owner,
        tags,
        ttlMs,
        freshness,
        consistency,
        coalesce,
        waitMs,
        persist,
        warms: true,
        ...(freshForMs > 0 && { accept: (entry, now) => entry.staleAt - now >= Math.min(freshForMs, ttlMs / 2) }),
      },
    };
  }

  making(name: string, subject: Subject): Making {
    const { policy, options } = this.known(name);
    return async (run) => draftOf(await options.load(subject, run), policy.maxEntryBytes);
  }

  #remake(load: Load, making: Making, type: string): void {
    if (this.#background.full) {
      load.decline('busy');
      return;
    }
    load.leave();
    const failed = (error: unknown) =>
      this.parts.emit({ kind: 'refreshFailed', key: load.key, type, error: errorName(error) });
    this.#background.add(make(load, making), failed);
  }
}

/** Not a path: those begin with a scheme. */
const scopeOf = (name: string): string => `loaded ${name}`;
