// The slots of a process that is alone: nobody else could run one.
import type { SlotAnswer, SlotRequest, Slots, TaskRun, TaskState } from '../contract/schedule.js';
import type { Clock } from '../contract/clock.js';

interface Kept {
  settled: number;
  missed: number;
  claim:
    | { readonly token: string; readonly slot: number; readonly since: number; process: string; attempt: number }
    | undefined;
  readonly runs: TaskRun[];
}

export class OwnSlots implements Slots {
  readonly #tasks = new Map<string, Kept>();

  constructor(
    private readonly mostRuns: number,
    private readonly clock: Clock,
  ) {}

  async claim({ task, slot, token, since, process }: SlotRequest): Promise<SlotAnswer> {
    const kept = this.#of(task);
    kept.settled = Math.max(kept.settled, since);
    if (kept.claim !== undefined) return { state: 'held', askAgainMs: ASK_AGAIN_MS };
    if (slot > 0 && slot <= kept.settled) return { state: 'past', settled: kept.settled };
    const begunAt = this.clock.now();
    kept.claim = { token, slot, since: begunAt, process, attempt: 1 };
    return { state: 'taken', slot, attempt: 1, settled: kept.settled, orphanedMs: 0, begunAt };
  }

  async renew(task: string, token: string, attempt: number): Promise<boolean> {
    const { claim } = this.#of(task);
    if (claim?.token !== token) return false;
    claim.attempt = attempt;
    return true;
  }

  async settle(task: string, token: string, missed: number, run?: TaskRun): Promise<boolean> {
    const kept = this.#of(task);
    if (kept.claim?.token !== token) return false;
    kept.settled = Math.max(kept.settled, kept.claim.slot);
    kept.claim = undefined;
    kept.missed += missed;
    if (run) kept.runs.unshift(run);
    kept.runs.splice(this.mostRuns);
    return true;
  }

  /** There is nobody to go on with it. */
  async release(task: string, token: string): Promise<void> {
    const kept = this.#of(task);
    if (kept.claim?.token === token) kept.claim = undefined;
  }

  async state(task: string): Promise<TaskState> {
    const { claim, runs, missed } = this.#of(task);
    const running = claim && { since: new Date(claim.since), process: claim.process, attempt: claim.attempt };
    return { running, last: runs[0], missed };
  }

  async runs(task: string): Promise<readonly TaskRun[]> {
    return [...this.#of(task).runs];
  }

  #of(task: string): Kept {
    const kept = this.#tasks.get(task) ?? { settled: 0, missed: 0, claim: undefined, runs: [] };
    this.#tasks.set(task, kept);
    return kept;
  }
}

/** A run that somebody has asked for holds up the one that is due. */
const ASK_AGAIN_MS = 1000;
