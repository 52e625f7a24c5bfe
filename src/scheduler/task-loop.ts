// Waits for the due times of one task, and runs those that no other process has run.
import { randomBytes } from 'node:crypto';
import { errorText } from '../contract/errors.js';
import type { RunningTask, SlotAnswer, TaskRun } from '../contract/schedule.js';
import { Alarm } from '../core/alarm.js';
import { AGAIN_MS } from './held-slot.js';
import { SlotRun, type SlotRunParts, type Taken } from './slot-run.js';

/** Somebody may set the clock meanwhile. */
const LONGEST_SLEEP_MS = 60_000;
/** Missed due times are counted no further. */
const MOST_MISSED = 1000;
/** A process that dies, or is replaced by another release, is not the fault of its task; three of them in a row may be. */
const TAKEN_OVER_ANYWAY = 3;

export type LoopParts = Omit<SlotRunParts, 'reached'>;

export class TaskLoop {
  readonly #alarm: Alarm;
  readonly #since: number;
  #settled = -Infinity;
  #token = newToken();
  #run: SlotRun | undefined;
  #byHand: { readonly run: SlotRun; readonly ended: Promise<unknown> } | undefined;
  #looping: Promise<void> | undefined;
  #closed = false;
  #away = false;

  constructor(private readonly parts: LoopParts) {
    this.#alarm = new Alarm(parts.clock);
    this.#since = parts.clock.now();
  }

  /** What this process runs. */
  get running(): RunningTask | undefined {
    return (this.#run ?? this.#byHand?.run)?.running;
  }

  start(): void {
    this.#looping ??= this.#loop();
  }

  /** Undefined: somebody runs it already. @throws where the others cannot be reached */
  async begin(): Promise<{ readonly ended: Promise<TaskRun | undefined> } | undefined> {
    if (this.#closed) return undefined;
    const token = newToken();
    const askedAt = this.parts.clock.monotonic();
    const answer = await this.#ask(0, token);
    if (answer.state !== 'taken') return undefined;
    const run = this.#slotRun(answer, token, askedAt);
    // The cache was closed meanwhile: it ends as soon as it has begun.
    if (this.#closed) run.close();
    const ended = run.go(0).finally(() => {
      this.#byHand = undefined;
      this.#alarm.ring();
    });
    this.#byHand = { run, ended };
    return { ended };
  }

  /** Begins nothing more, and tells what runs to end. Resolves when it has. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#alarm.ring();
    this.#run?.close();
    this.#byHand?.run.close();
    await Promise.all([this.#looping, this.#byHand?.ended]);
  }

  /** Waits for what runs no longer. */
  abandon(): void {
    this.#run?.abandon();
    this.#byHand?.run.abandon();
  }

  async #loop(): Promise<void> {
    const { clock, task } = this.parts;
    while (!this.#closed) {
      const now = clock.now();
      const slot = task.timetable.latest(now);
      const untilNextMs = Math.min((task.timetable.next(now) ?? Infinity) - now, LONGEST_SLEEP_MS);
      const isOpen = slot !== undefined && slot > this.#settled;
      const waitMs = isOpen ? Math.min(await this.#try(slot), untilNextMs) : untilNextMs;
      if (waitMs > 0 && !this.#closed) await this.#alarm.sleep(waitMs);
    }
  }

  /** @returns how long to wait before looking again, ms */
  async #try(slot: number): Promise<number> {
    const askedAt = this.parts.clock.monotonic();
    const token = this.#token;
    let answer: SlotAnswer;
    try {
      answer = await this.#ask(slot, token);
    } catch {
      return AGAIN_MS;
    }
    switch (answer.state) {
      case 'past':
        this.#settled = answer.settled;
        return 0;
      case 'early':
        return answer.askAgainMs;
      case 'held':
        return answer.askAgainMs;
      case 'taken':
        this.#token = newToken();
        await this.#take(answer, token, askedAt);
        return 0;
    }
  }

  async #take(taken: Taken, token: string, askedAt: number): Promise<void> {
    const { clock, task } = this.parts;
    const { slot, settled, orphanedMs, attempt } = taken;
    const run = this.#slotRun(taken, token, askedAt);
    this.#run = run;
    if (this.#closed) run.close();
    try {
      let missed = task.timetable.between(settled, slot, MOST_MISSED);
      if (orphanedMs > 0) {
        const isHopeless = attempt > Math.max(task.retry.retries + 1, TAKEN_OVER_ANYWAY);
        if (isHopeless || orphanedMs > task.catchUpMs) await run.giveUp('ProcessDied', missed);
        else await run.go(missed);
      } else if (clock.now() - slot > task.catchUpMs) {
        missed += 1;
        this.#tellMissed(missed);
        await run.skip(missed);
      } else {
        if (missed > 0) this.#tellMissed(missed);
        await run.go(missed);
      }
    } finally {
      this.#run = undefined;
    }
  }

  async #ask(slot: number, token: string): Promise<SlotAnswer> {
    const { process, slots, task } = this.parts;
    try {
      const answer = await slots.claim({ task: task.name, slot, token, since: this.#since, process });
      this.#reached();
      return answer;
    } catch (error) {
      this.#reached(error);
      throw error;
    }
  }

  #slotRun(taken: Taken, token: string, askedAt: number): SlotRun {
    return new SlotRun({ ...this.parts, reached: this.#reached }, taken, token, askedAt);
  }

  /** Said when it begins. */
  readonly #reached = (error?: unknown): void => {
    const away = error !== undefined;
    if (away && !this.#away)
      this.parts.emit({ kind: 'layerFailed', layer: 'redis', operation: 'schedule', error: errorText(error) });
    this.#away = away;
  };

  #tellMissed(count: number): void {
    this.parts.emit({ kind: 'task', task: this.parts.task.name, state: 'missed', attempt: 0, count });
  }
}

function newToken(): string {
  return randomBytes(12).toString('base64url');
}
