// A claim for a slot while its task runs: renewed, given back, and told of when it is lost.
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { Slots, TaskRun } from '../contract/schedule.js';
import { Alarm } from '../core/alarm.js';

export interface HeldSlotParts {
  readonly slots: Slots;
  readonly task: string;
  readonly token: string;
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Somebody else may run the slot from now on. */
  readonly lost: () => void;
  /** Whether the agreement can be reached. */
  readonly reached: (error?: unknown) => void;
}

/** Before another attempt to reach the others. Several fit into the time for which an ended lease is doubted. */
export const AGAIN_MS = 500;

export class HeldSlot {
  #attempt: number;
  #over = false;
  #renewal: TimerHandle | undefined;
  #end: TimerHandle | undefined;
  readonly #rest: Alarm;

  /** @param askedAt when the claim was asked for, monotonic ms: from then on the lease may have run */
  constructor(
    private readonly parts: HeldSlotParts,
    attempt: number,
    askedAt: number,
  ) {
    this.#attempt = attempt;
    this.#rest = new Alarm(parts.clock);
    this.#proved(askedAt);
    this.#renewAfter(parts.leaseMs / 3);
  }

  /** Whoever takes the slot over counts on from here. */
  attempt(number: number): void {
    this.#attempt = number;
    void this.#renew();
  }

  /**
   * Nobody runs the slot again. Tries until the others have heard of it.
   * @returns false: it was lost before, or {@link abandon} was called
   */
  async settle(missed: number, run?: TaskRun): Promise<boolean> {
    const { slots, task, token, reached } = this.parts;
    while (!this.#over) {
      try {
        const held = await slots.settle(task, token, missed, run);
        reached();
        this.#stop();
        return held;
      } catch (error) {
        reached(error);
        await this.#rest.sleep(AGAIN_MS);
      }
    }
    return false;
  }

  /** Somebody else may go on with it, at once. */
  async release(): Promise<void> {
    this.#stop();
    const { slots, task, token, reached } = this.parts;
    // Where it does not get through, the lease ends by itself.
    await slots.release(task, token).catch(reached);
  }

  /** Leaves the lease to its end: what runs under it may go on for a while. */
  abandon(): void {
    this.#stop();
    this.#rest.ring();
  }

  #stop(): void {
    this.#over = true;
    this.#renewal?.cancel();
    this.#end?.cancel();
  }

  #proved(askedAt: number): void {
    const { clock, leaseMs, lost } = this.parts;
    this.#end?.cancel();
    if (this.#over) return;
    this.#end = clock.after(Math.max(0, askedAt + leaseMs - clock.monotonic()), lost);
  }

  #renewAfter(ms: number): void {
    this.#renewal?.cancel();
    if (!this.#over) this.#renewal = this.parts.clock.after(ms, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const { slots, task, token, leaseMs, clock, lost, reached } = this.parts;
    const askedAt = clock.monotonic();
    try {
      const held = await slots.renew(task, token, this.#attempt);
      reached();
      if (this.#over) return;
      if (!held) return lost();
      this.#proved(askedAt);
      this.#renewAfter(leaseMs / 3);
    } catch (error) {
      if (this.#over) return;
      reached(error);
      this.#renewAfter(AGAIN_MS);
    }
  }
}
