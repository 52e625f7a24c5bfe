// Events into counters and histograms; the gauges beside them are looked at when somebody collects.
import { ReportCacheError } from '../contract/errors.js';
import type { CacheEvent, CacheEventKind } from '../contract/events.js';
import type { Observed, Observer } from '../contract/observer.js';
import { METRICS, type IdOf } from './catalogue.js';
import { GAUGES, Gauges } from './gauges.js';
import type { Instruments, Tell } from './instruments.js';
import { cause, missReason, operation, OTHER } from './labels.js';

type Told = Readonly<Record<IdOf<'counter'> | IdOf<'histogram'>, Tell>>;

type Read = { readonly type: string; readonly durationMs: number };

export class Recorder implements Observer {
  readonly #instruments: Instruments;
  readonly #told: Told;
  readonly #gauges = new Gauges();
  #cache: Observed | undefined;

  constructor(instruments: Instruments) {
    this.#instruments = instruments;
    this.#told = Object.fromEntries(
      Object.entries(METRICS)
        .filter(([, { kind }]) => kind !== 'gauge')
        .map(([id, metric]) => [
          id,
          metric.kind === 'counter' ? instruments.counter(metric) : instruments.histogram(metric),
        ]),
    ) as Told;
  }

  attach(cache: Observed): void {
    if (this.#cache !== undefined)
      throw new ReportCacheError(
        'ERC_OPTION',
        'Metrics are those of one cache: give each its own `register` or meter.',
      );
    this.#cache = cache;
    this.#instruments.gauges(
      GAUGES.map((id) => METRICS[id]),
      async () => {
        const look = await this.#gauges.look(cache);
        return GAUGES.map((id) => [METRICS[id], look[id] ?? []] as const);
      },
    );
  }

  hear(event: CacheEvent): void {
    const told = this.#told;
    switch (event.kind) {
      case 'hit':
        this.#read(event, event.layer, event.coalesced ? 'coalesced' : 'hit');
        told.computeAvoided(event.avoidedMs / 1000, { type: this.#type(event.type) });
        return;
      case 'staleHit':
        this.#read(event, event.layer, 'stale');
        told.computeAvoided(event.avoidedMs / 1000, { type: this.#type(event.type) });
        return;
      case 'miss':
        this.#read(event, 'none', 'miss');
        told.misses(1, { type: this.#type(event.type), reason: missReason(event.reason) });
        return;
      case 'bypass': {
        const type = this.#type(event.type);
        told.reads(1, { type, layer: 'none', result: 'bypass' });
        told.bypasses(1, { type, reason: event.reason });
        return;
      }
      case 'declined':
        told.declines(1, { type: this.#type(event.type), reason: event.reason });
        return;
      case 'ran':
        told.computeDuration(event.durationMs / 1000, {
          type: this.#type(event.type),
          result: event.failed ? 'failed' : 'ok',
        });
        return;
      case 'spent':
        this.#spent(event);
        return;
      case 'stored':
        told.storedSize(event.bytes, { type: this.#type(event.type) });
        return;
      case 'compressed':
        told.compressDuration(event.durationMs / 1000, { coding: event.coding });
        return;
      case 'overdue':
        told.overdue(1, { type: this.#type(event.type), limit: event.limit });
        return;
      case 'refreshFailed':
        told.refreshFailures(1, { type: this.#type(event.type) });
        return;
      case 'invalidate':
        told.invalidationDuration(event.durationMs / 1000, { cause: cause(event.cause) });
        told.invalidatedTags(event.tags.length, { cause: cause(event.cause) });
        return;
      case 'invalidateFailed':
        told.invalidationFailures(1, { cause: cause(event.cause) });
        return;
      case 'released':
        told.writersReleased(1, { cause: cause(event.cause) });
        return;
      case 'swept':
        told.sweptRows(event.rows);
        told.sweepLag(event.oldestMs / 1000);
        return;
      case 'viewRefreshed':
        told.viewRefreshDuration(event.durationMs / 1000);
        return;
      case 'task': {
        // Tasks are declared by the application, never by a client.
        const labels = { task: event.task, state: event.state };
        told.taskRuns(event.count ?? 1, labels);
        if (event.durationMs !== undefined) told.taskDuration(event.durationMs / 1000, labels);
        return;
      }
      case 'warming':
        if (event.state === 'ended') this.#warmed(event);
        return;
      case 'layerFailed':
        told.layerErrors(1, { layer: event.layer, operation: operation(event.operation) });
        return;
      case 'breaker':
        this.#gauges.breaker(event.layer, event.state);
        return;
      default:
        told.events(1, { kind: event.kind satisfies CacheEventKind });
    }
  }

  #read({ type, durationMs }: Read, layer: string, result: string): void {
    const labels = { type: this.#type(type), layer, result };
    this.#told.reads(1, labels);
    this.#told.readDuration(durationMs / 1000, labels);
  }

  #warmed({ way, cached, computed, failed, stopped }: Extract<CacheEvent, { kind: 'warming' }>): void {
    const { warmedReports, warmRuns } = this.#told;
    warmedReports(cached - computed, { way, result: 'already' });
    warmedReports(computed, { way, result: 'computed' });
    warmedReports(failed, { way, result: 'failed' });
    warmRuns(1, { way, state: stopped ?? 'done' });
  }

  #spent({ type: given, cost }: Extract<CacheEvent, { kind: 'spent' }>): void {
    const type = this.#type(given);
    this.#told.tokens(cost.inputTokens, { type, direction: 'input' });
    this.#told.tokens(cost.outputTokens, { type, direction: 'output' });
    if (cost.money !== undefined && cost.currency !== undefined)
      this.#told.money(cost.money, { type, currency: cost.currency });
  }

  #type(name: string): string {
    return this.#cache?.isType(name) === true ? name : OTHER;
  }
}
