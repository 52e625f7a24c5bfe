// Sweeps the outbox again and again: at its period, when told that something waits, and again after failures.
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { OutboxHealth } from '../contract/outbox.js';
import { InTime, NoAnswer } from './in-time.js';
import { PruneSamples } from './prune-samples.js';
import { LateRows } from './late-rows.js';
import { boundOutbox, sweep, SweepFailure, type Sweep, type SweepParts } from './sweep.js';

export interface SweeperParts extends Omit<SweepParts, 'lateRows'> {
  readonly clock: Clock;
  /** The longest that any entry lives, ms; asked once a minute. */
  readonly maxTtlMs: () => number;
  /** From 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** What came of {@link Sweeper.sweepNow}. */
export type SweepResult =
  Sweep | { readonly outcome: 'failed'; readonly error: SweepFailure } | { readonly outcome: 'closed' };

/** Sweeps in a row without a pause: full batches, or a new epoch that wants its watermark. */
const MOST_IN_A_ROW = 100;
/** Sweeps in a row while the epoch changes; then at the period. */
const MOST_LOOKS = 3;
/** How long entries may outlive their time by clocks that differ, ms. */
const PRUNE_MARGIN_MS = 60_000;
/** After the first failure of a sweeper that has never swept; doubled with each, up to its period. */
const FIRST_RETRY_MS = 25;
/** A failure that goes on is told again after this. */
const REMIND_MS = 60_000;
/** A sweep that hangs is given up after so many lambdas: its connection may be dead without anybody having been told. */
const PATIENCE_LAMBDAS = 5;
/** After these the database may well be in reach, and nobody drains it. */
const REDIS_STEPS = ['observe', 'invalidate', 'keepAlive', 'adopt'];
/** What an outcome says of the standing of this Redis; the others say nothing new. */
const ADOPTION: Partial<Record<Sweep['outcome'], OutboxHealth['adoption']>> = {
  complete: 'adopted',
  more: 'adopted',
  adopted: 'adopting',
  fenced: 'fenced',
};

/** Sweeps one at a time and never throws: whatever fails is told, and tried again at the period. */
export class Sweeper {
  readonly #lateRows = new LateRows();
  readonly #samples = new PruneSamples();
  #timer: TimerHandle | undefined;
  #running: Promise<SweepResult> | undefined;
  #next: Promise<SweepResult> | undefined;
  /** A sweep that is given up goes on like one of another process, which can do no harm. */
  readonly #inTime: InTime;
  #started = false;
  #closed = false;
  #state: Omit<OutboxHealth, 'watermarkAgeMs'> = {
    adoption: 'adopting',
    lastSuccess: undefined,
    waiting: 0,
    oldestMs: 0,
    poison: 0,
    failures: 0,
  };
  /** Age of the watermark, ms, at a moment of the monotonic clock. */
  #watermark: { readonly ageMs: number; readonly at: number } | undefined;
  #told: { readonly what: string; readonly at: number } | undefined;

  constructor(private readonly parts: SweeperParts) {
    this.#inTime = new InTime(PATIENCE_LAMBDAS * parts.lambdaMs, parts.clock);
  }

  get state(): OutboxHealth {
    const { clock } = this.parts;
    const watermarkAgeMs = this.#watermark && this.#watermark.ageMs + clock.monotonic() - this.#watermark.at;
    return { ...this.#state, watermarkAgeMs };
  }

  /** Sweeps now and from here on at its period. @returns what came of the first sweep. */
  start(): Promise<SweepResult> {
    this.#started = true;
    return this.sweepNow();
  }

  /** Sweeps, or sweeps once more after the sweep that is running: what is told now that one may not have seen. */
  sweepNow(): Promise<SweepResult> {
    if (this.#closed) return Promise.resolve({ outcome: 'closed' });
    if (this.#running === undefined) return this.#run();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.sweepNow();
    });
    return this.#next;
  }

  /** Lets the running sweep end; starts no other. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #run(): Promise<SweepResult> {
    this.#timer?.cancel();
    this.#running = this.#sweepAll().finally(() => {
      this.#running = undefined;
      if (this.#started && !this.#closed)
        this.#timer = this.parts.clock.after(this.#pause(), () => void this.sweepNow());
    });
    return this.#running;
  }

  /** A third of lambda, so that two sweeps may fail; shorter by chance, so that processes do not march in step. */
  #pause(): number {
    const { lambdaMs, random = Math.random } = this.parts;
    const period = (lambdaMs / 3) * (0.75 + 0.25 * random());
    const { lastSuccess, failures } = this.#state;
    // Nothing is served before the first sweep, and usually Redis was only not connected yet.
    const starting = lastSuccess === undefined && failures > 0;
    return starting ? Math.min(period, FIRST_RETRY_MS * 2 ** (failures - 1)) : period;
  }

  async #sweepAll(): Promise<SweepResult> {
    let result = await this.#sweepOnce();
    for (let count = 1; count < MOST_IN_A_ROW && !this.#closed && wantsAnother(result, count); count += 1)
      result = await this.#sweepOnce();
    return result;
  }

  async #sweepOnce(): Promise<SweepResult> {
    const { clock, emit } = this.parts;
    const started = clock.monotonic();
    try {
      const done = await this.#inTime.run(() => sweep({ ...this.parts, lateRows: this.#lateRows }));
      this.#note(done, started);
      const { drained: rows, oldestMs } = done;
      if (rows > 0) emit({ kind: 'swept', rows, oldestMs, durationMs: clock.monotonic() - started });
      if (done.outcome === 'complete') await this.#prune(done);
      return done;
    } catch (error) {
      const failure =
        error instanceof SweepFailure
          ? error
          : new SweepFailure(error instanceof NoAnswer ? 'deadline' : 'sweep', error);
      this.#failed(failure);
      // That this fails is no news: the database cannot be reached either.
      if (REDIS_STEPS.includes(failure.step))
        await this.#inTime.run(() => boundOutbox(this.parts)).catch(() => undefined);
      return { outcome: 'failed', error: failure };
    }
  }

  #note({ outcome, waiting, oldestMs, drained, poison, seen }: Sweep, started: number): void {
    const { clock, emit } = this.parts;
    const before = this.#state;
    const complete = outcome === 'complete';
    if (outcome === 'fenced' && before.adoption !== 'fenced')
      emit({ kind: 'fenced', generation: seen.generation ?? 0 });
    this.#state = {
      adoption: ADOPTION[outcome] ?? before.adoption,
      lastSuccess: complete ? clock.now() : before.lastSuccess,
      waiting: waiting - drained - poison,
      oldestMs,
      poison: before.poison + poison,
      failures: 0,
    };
    this.#told = undefined;
    if (complete) this.#watermark = { ageMs: 0, at: started };
    else this.#watermark = seen.ageMs === undefined ? undefined : { ageMs: seen.ageMs, at: started };
  }

  async #prune({ seen }: Sweep): Promise<void> {
    const { history, maxTtlMs } = this.parts;
    const upTo = this.#samples.note(seen.position, seen.now, maxTtlMs() + PRUNE_MARGIN_MS);
    if (upTo === undefined) return;
    await this.#inTime
      .run(() => history.prune({ epoch: seen.position.epoch, seq: upTo }))
      .catch((error: unknown) => this.#failed(new SweepFailure('prune', error)));
  }

  #failed({ step, message }: SweepFailure): void {
    const { clock, emit } = this.parts;
    const failures = this.#state.failures + 1;
    this.#state = { ...this.#state, failures };
    const what = `${step}: ${message}`;
    const now = clock.monotonic();
    if (this.#told?.what === what && now - this.#told.at < REMIND_MS) return;
    this.#told = { what, at: now };
    emit({ kind: 'sweepFailed', step, error: message, failures });
  }
}

/** Full batches are followed up to the end; what changed under a sweep is looked at once or twice more. */
function wantsAnother({ outcome }: SweepResult, count: number): boolean {
  return outcome === 'more' || ((outcome === 'adopted' || outcome === 'overtaken') && count < MOST_LOOKS);
}
