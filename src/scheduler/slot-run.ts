// A slot that this process has taken: attempts at its task until one succeeds or no more are allowed, then the record of it.
import type { Clock } from '../contract/clock.js';
import type { EventSink } from '../contract/events.js';
import type { RunningTask, SlotAnswer, TaskRun } from '../contract/schedule.js';
import { Alarm } from '../core/alarm.js';
import { attempt, why, type Attempt } from './attempt.js';
import { HeldSlot, type HeldSlotParts } from './held-slot.js';
import { kept } from './result.js';
import { retryAfter } from './retry.js';
import type { Task } from './task.js';

export interface SlotRunParts extends Pick<HeldSlotParts, 'slots' | 'leaseMs' | 'reached'> {
  readonly task: Task;
  readonly process: string;
  readonly random: () => number;
  readonly clock: Clock;
  readonly emit: EventSink;
}

export type Taken = Extract<SlotAnswer, { state: 'taken' }>;

export class SlotRun {
  /** Told to end: by `close()`, or because somebody else may run the slot. */
  readonly #ending = new AbortController();
  readonly #pause: Alarm;
  readonly #held: HeldSlot;
  readonly #tookAt: number;
  #attempt: number;

  constructor(
    private readonly parts: SlotRunParts,
    private readonly taken: Taken,
    token: string,
    askedAt: number,
  ) {
    this.#attempt = taken.attempt;
    this.#tookAt = parts.clock.monotonic();
    this.#pause = new Alarm(parts.clock);
    const lost = () => this.#end('The claim is lost: another process may run the task.');
    this.#held = new HeldSlot({ ...parts, task: parts.task.name, token, lost }, taken.attempt, askedAt);
  }

  get running(): RunningTask {
    return { since: new Date(this.taken.begunAt), process: this.parts.process, attempt: this.#attempt };
  }

  /** @param missed due times before this one that nobody has run. @returns undefined: somebody else goes on with it */
  async go(missed: number): Promise<TaskRun | undefined> {
    const { random, task } = this.parts;
    const { retry } = task;
    for (;;) {
      this.#tell('begun');
      const done = await this.#try();
      if (this.#ending.signal.aborted && done.outcome !== 'done') return this.#leave(done);
      const waitMs = done.outcome === 'failed' && !this.#byHand ? retryAfter(this.#attempt, retry, random) : undefined;
      if (waitMs === undefined) return this.#record(done, missed);
      this.#tellOutcome(done);
      this.#tell('retry', { retryMs: waitMs, error: done.error });
      await this.#pause.sleep(waitMs);
      if (this.#ending.signal.aborted) return this.#leave(undefined);
      this.#attempt += 1;
      this.#held.attempt(this.#attempt);
    }
  }

  /** The slot is over without a run: it is too late for it. */
  async skip(missed: number): Promise<void> {
    await this.#held.settle(missed);
  }

  /** The slot is over without another attempt. */
  giveUp(error: string, missed: number): Promise<TaskRun | undefined> {
    return this.#record({ outcome: 'failed', error, ms: 0 }, missed);
  }

  /** Tells the task to end. What it leaves undone is another process's. */
  close(): void {
    this.#end('The cache is being closed.');
  }

  /** Waits for it no longer. */
  abandon(): void {
    this.#held.abandon();
  }

  get #byHand(): boolean {
    return this.taken.slot === 0;
  }

  #end(reason: string): void {
    this.#ending.abort(why('AbortError', reason));
    this.#pause.ring();
  }

  #try(): Promise<Attempt> {
    const { task, clock } = this.parts;
    const timedOut = () => this.#tell('timeout', { durationMs: task.timeLimitMs });
    return attempt(task, this.#ending.signal, timedOut, clock);
  }

  async #leave(done: Attempt | undefined): Promise<TaskRun | undefined> {
    // What somebody has asked for is not begun again by others.
    if (done !== undefined && this.#byHand) return this.#record(done, 0);
    await this.#held.release();
    if (done !== undefined) this.#tellOutcome(done);
    return undefined;
  }

  /** Told when it can be looked up: whoever hears of it may ask at once. */
  async #record(done: Attempt, missed: number): Promise<TaskRun | undefined> {
    const { outcome, result, error } = done;
    const { clock, process } = this.parts;
    const { slot, begunAt } = this.taken;
    const ms = Math.round(clock.monotonic() - this.#tookAt);
    const value = kept(result);
    const run: TaskRun = {
      at: new Date(begunAt),
      ms,
      outcome,
      attempts: this.#attempt,
      process,
      ...(slot > 0 && { due: new Date(slot) }),
      ...(value !== undefined && { result: value }),
      ...(error !== undefined && { error }),
    };
    const isRecorded = await this.#held.settle(missed, run);
    this.#tellOutcome(done);
    return isRecorded ? run : undefined;
  }

  #tellOutcome({ outcome, ms: durationMs, error }: Attempt): void {
    if (outcome !== 'timeout') this.#tell(outcome, { durationMs, error });
  }

  #tell(
    state: 'begun' | 'done' | 'failed' | 'timeout' | 'retry',
    more: { durationMs?: number; error?: string | undefined; retryMs?: number } = {},
  ): void {
    const { emit, task } = this.parts;
    const { slot } = this.taken;
    const { error, ...rest } = more;
    emit({
      kind: 'task',
      task: task.name,
      state,
      attempt: this.#attempt,
      ...(slot > 0 && { due: new Date(slot) }),
      ...rest,
      ...(error !== undefined && { error }),
    });
  }
}
