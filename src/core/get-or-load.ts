// Cached values from functions: look up, or run the loader once and keep what it returns; how long its caller waits for it.
import type { Clock } from '../contract/clock.js';
import type { Meter, Refusal, Run, SpendGate } from '../contract/costs.js';
import { errorText, ReportCacheError } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { AnyLoader } from '../contract/loader.js';
import type { Fallback, Load, Reader, ReadRequest, Serving, Turn } from '../contract/reading.js';
import type { ValueCodec } from '../entry/value-codec.js';
import { found, made, type Answer } from './answer.js';
import { Background } from './background.js';
import { Bill, NO_ACCOUNT } from './bill.js';
import { Failures } from './failures.js';
import { loaderRun, runLoad } from './loader-run.js';
import type { Scopes } from './scope.js';
import { LATE, TimeLimit } from './time-limit.js';

/** How long the caller waits for the loader, ms. */
export interface Patience {
  /** Where a stale value is at hand; then it is returned, and the loader goes on. */
  readonly softTimeoutMs: number;
  /** In any case, waiting for another caller's loader included. */
  readonly hardTimeoutMs: number;
  /** For so long after a failure of the loader its error answers in its place. */
  readonly restAfterErrorMs: number;
}

export const PATIENT: Patience = { softTimeoutMs: 0, hardTimeoutMs: Infinity, restAfterErrorMs: 0 };

interface Question<T> {
  readonly request: ReadRequest;
  readonly loader: AnyLoader<T>;
  readonly codec: ValueCodec;
  readonly patience: Patience;
}

type Alone = Run & Pick<ReadRequest, 'looksUp'>;

export class Values {
  readonly #reader: Reader;
  readonly #scopes: Pick<Scopes, 'computation' | 'inTransaction'>;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  readonly #background: Background;
  readonly #failures: Failures;
  readonly #meter: Meter;
  readonly #gate: SpendGate | undefined;

  constructor(
    reader: Reader,
    scopes: Pick<Scopes, 'computation' | 'inTransaction'>,
    clock: Clock,
    emit: EventSink,
    meter: Meter = NO_ACCOUNT,
    gate?: SpendGate,
  ) {
    this.#reader = reader;
    this.#scopes = scopes;
    this.#clock = clock;
    this.#emit = emit;
    this.#background = new Background();
    this.#failures = new Failures(clock);
    this.#meter = meter;
    this.#gate = gate;
  }

  /**
   * Returns the cached value or the loader's. A loader's error reaches exactly its own caller: it is neither stored nor
   * shared. A value that cannot be stored is returned all the same. Where an entry is in its grace, or due ahead of its
   * end, its value is returned at once and the loader runs in the background.
   * @throws ERC_TIMEOUT; ERC_SPEND; ERC_OVERLOADED where the limits of this process are reached
   */
  async getOrLoad<T>(
    request: ReadRequest,
    loader: AnyLoader<T>,
    codec: ValueCodec,
    patience: Patience = PATIENT,
  ): Promise<Answer<T>> {
    const question = { request, loader, codec, patience };
    const limit = new TimeLimit(patience.hardTimeoutMs, this.#clock);
    try {
      const asked = this.#reader.read(request);
      const turn = await limit.race(asked);
      if (turn === LATE) {
        leaveTurn(asked);
        this.#overdue(question, 'hard', false);
        throw tooLate(question);
      }
      return await this.#answer(question, turn, limit);
    } finally {
      limit.cancel();
    }
  }

  /**
   * Without the cache. A report around it depends on what is found here all the same.
   * @throws ERC_SPEND
   */
  async loadAlone<T>(loader: AnyLoader<T>, run: Alone): Promise<Answer<T>> {
    const asked = run.looksUp === true ? undefined : this.#gate?.admit(run);
    const refusal = asked && (await asked);
    if (refusal !== undefined) throw this.#overspent(run, refusal);
    return this.#runAlone(loader, run);
  }

  async #runAlone<T>(loader: AnyLoader<T>, run: Alone): Promise<Answer<T>> {
    const bill = new Bill(this.#meter, run);
    const createdAt = this.#clock.now();
    const began = this.#clock.monotonic();
    let failed = true;
    try {
      const value = await loader(loaderRun((tags) => this.#scopes.computation?.addTags(tags), bill));
      failed = false;
      return made(value, createdAt, undefined, bill.cost);
    } finally {
      const durationMs = this.#clock.monotonic() - began;
      if (run.looksUp !== true) this.#emit({ kind: 'ran', type: run.type, failed, durationMs });
    }
  }

  /** Resolves when the loaders in the background have ended, or a bound has passed. */
  drained(): Promise<void> {
    return this.#background.drained();
  }

  async #answer<T>(question: Question<T>, turn: Turn, limit: TimeLimit): Promise<Answer<T>> {
    switch (turn.next) {
      case 'serve': {
        const kept = this.#decode(question, turn);
        return kept === undefined ? this.#load(question, limit, await this.#leadAnyway(question)) : kept;
      }
      case 'lead':
        return this.#load(question, limit, turn.load, turn.fallback);
      case 'refuse':
        throw new ReportCacheError('ERC_OVERLOADED', 'Too many readers wait, or too many reports are being computed.');
      case 'alone':
      case 'none':
        return this.#load(question, limit, undefined);
    }
  }

  /** @param load absent: nothing is stored. */
  async #load<T>(
    question: Question<T>,
    limit: TimeLimit,
    load: Load | undefined,
    fallback?: Fallback,
  ): Promise<Answer<T>> {
    const failure = this.#failures.of(question.request.key);
    if (failure !== undefined) {
      load?.decline('error');
      const kept = this.#take(question, fallback);
      if (kept === undefined) throw failure.error;
      return kept;
    }
    const asked = question.request.looksUp === true ? undefined : this.#gate?.admit(question.request);
    const refusal = asked && (await asked);
    if (refusal !== undefined) {
      load?.decline('spend');
      const kept = this.#take(question, fallback);
      if (kept === undefined) throw this.#overspent(question.request, refusal);
      return kept;
    }
    const softMs = this.#softLimit(question.patience, fallback);
    if (load !== undefined && softMs === 0) {
      const kept = this.#take(question, fallback);
      if (kept !== undefined) {
        this.#loadInBackground(question, load);
        return kept;
      }
    }
    const soft = new TimeLimit(softMs === 0 ? Infinity : softMs, this.#clock);
    const loading =
      load === undefined ? this.#runAlone(question.loader, question.request) : this.#loadAndStore(question, load);
    try {
      const first = await limit.race(soft.race(loading));
      if (first !== LATE) return first;
      if (!limit.passed) {
        const kept = this.#goOn(question, 'soft', loading, load, fallback);
        if (kept !== undefined) return kept;
        const second = await limit.race(loading);
        if (second !== LATE) return second;
      }
    } catch (error) {
      const { restAfterErrorMs } = question.patience;
      if (restAfterErrorMs > 0) this.#failures.add(question.request.key, error, restAfterErrorMs);
      const kept = this.#take(question, fallback);
      if (kept === undefined) throw error;
      return kept;
    } finally {
      soft.cancel();
    }
    const kept = this.#goOn(question, 'hard', loading, load, fallback);
    if (kept === undefined) throw tooLate(question);
    return kept;
  }

  /** How long to wait for a new value where an older one is at hand. */
  #softLimit({ softTimeoutMs }: Patience, fallback: Fallback | undefined): number {
    // In a transaction the loader may use its connection, which ends with the caller: he waits.
    if (fallback === undefined || this.#scopes.inTransaction) return Infinity;
    return this.#clock.now() < fallback.entry.staleAt ? 0 : softTimeoutMs;
  }

  /** The limit has passed: the loader goes on without its caller. @returns what he gets instead. */
  #goOn<T>(
    question: Question<T>,
    limit: 'soft' | 'hard',
    loading: Promise<Answer<T>>,
    load: Load | undefined,
    fallback: Fallback | undefined,
  ): Answer<T> | undefined {
    const kept = this.#take(question, fallback);
    if (kept === undefined && limit === 'soft') return undefined;
    this.#overdue(question, limit, kept !== undefined);
    load?.leave();
    if (limit === 'hard') load?.giveUp();
    this.#background.add(loading, (error) => this.#failed(question, error));
    return kept;
  }

  #loadInBackground<T>(question: Question<T>, load: Load): void {
    if (this.#background.full) {
      load.decline('busy');
      return;
    }
    load.leave();
    const loading = this.#loadAndStore(question, load);
    const limit = new TimeLimit(question.patience.hardTimeoutMs, this.#clock);
    const watched = async () => {
      try {
        if ((await limit.race(loading)) !== LATE) return;
        this.#overdue(question, 'hard', true);
        load.giveUp();
        await loading;
      } finally {
        limit.cancel();
      }
    };
    this.#background.add(watched(), (error) => this.#failed(question, error));
  }

  async #loadAndStore<T>({ loader, codec }: Question<T>, load: Load): Promise<Answer<T>> {
    const value = await runLoad(load, loader);
    let body: Buffer;
    try {
      body = codec.encode(value);
    } catch (error) {
      load.decline('error');
      this.#emit({ kind: 'advice', code: 'ERC_VALUE', message: errorText(error) });
      return made(value, load.createdAt, undefined, load.bill.cost);
    }
    const outcome = await load.store({ body, status: 0, headers: [], etag: '' });
    const freshUntil = outcome === 'stored' ? load.createdAt + load.ttlMs : undefined;
    return made(value, load.createdAt, freshUntil, load.bill.cost);
  }

  async #leadAnyway({ request }: Question<unknown>): Promise<Load | undefined> {
    const turn = await this.#reader.read({ ...request, refresh: true });
    return turn.next === 'lead' ? turn.load : undefined;
  }

  #take<T>(question: Question<T>, fallback: Fallback | undefined): Answer<T> | undefined {
    const served = fallback?.take();
    return served === undefined ? undefined : this.#decode(question, served);
  }

  /** `undefined`: written by a Node or a codec that this process does not understand. */
  #decode<T>({ codec }: Question<T>, serving: Serving): Answer<T> | undefined {
    try {
      return found(codec.decode(serving.entry.body) as T, serving, this.#clock.now());
    } catch (error) {
      this.#emit({ kind: 'layerFailed', layer: serving.layer, operation: 'decode', error: errorText(error) });
      return undefined;
    }
  }

  #overdue({ request: { key, type } }: Question<unknown>, limit: 'soft' | 'hard', stale: boolean): void {
    this.#emit({ kind: 'overdue', key, type, limit, stale });
  }

  #overspent({ type }: Run, { retryMs }: Refusal): ReportCacheError {
    this.#emit({ kind: 'bypass', type, reason: 'spend' });
    return new ReportCacheError('ERC_SPEND', `What may be spent on "${type}" today is spent.`, { retryMs });
  }

  #failed({ request: { key, type } }: Question<unknown>, error: unknown): void {
    // Its name only: the message is the application's, and may name whom the report is about.
    this.#emit({ kind: 'refreshFailed', key, type, error: error instanceof Error ? error.name : typeof error });
  }
}

/** Whoever comes to lead after his caller has gone makes room for the next. */
function leaveTurn(asked: Turn | Promise<Turn>): void {
  void Promise.resolve(asked).then(
    (turn) => {
      if (turn.next === 'lead') turn.load.decline('incomplete');
    },
    () => undefined,
  );
}

function tooLate({ request, patience }: Question<unknown>): ReportCacheError {
  const message = `The loader of "${request.type}" took longer than ${patience.hardTimeoutMs} ms.`;
  return new ReportCacheError('ERC_TIMEOUT', message);
}
