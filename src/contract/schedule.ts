// Scheduled tasks as processes agree on them: who runs a slot, what came of it.

/** How a run ended. `timeout`: it was told to end at its time limit. */
export type TaskOutcome = 'done' | 'failed' | 'timeout';

/** A run that is over. */
export interface TaskRun {
  /** When it began, by the clock of Redis where there is one. */
  readonly at: Date;
  /** Since the process that ended it took it, retries and the waits before them included. */
  readonly ms: number;
  readonly outcome: TaskOutcome;
  readonly attempts: number;
  /** When it was due; absent: somebody has asked for it. */
  readonly due?: Date;
  /** Which process ended it: host and process id. */
  readonly process: string;
  /** What the task has returned, as JSON of 2 kB at most; `{ omitted: bytes }` where it is more. */
  readonly result?: unknown;
  /** Class and code, no message: messages show values. */
  readonly error?: string;
}

/** A run under way. */
export interface RunningTask {
  /** When it began, by the clock of Redis where there is one. */
  readonly since: Date;
  readonly process: string;
  readonly attempt: number;
}

/** What is known of a task over all processes. */
export interface TaskState {
  readonly running: RunningTask | undefined;
  readonly last: TaskRun | undefined;
  /** Slots that were not run, since the first. */
  readonly missed: number;
}

export interface ScheduledTask {
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  /** Undefined: never again, or the schedule was stopped. */
  readonly nextAt: Date | undefined;
  /** Over all processes. */
  readonly running: RunningTask | undefined;
  readonly last: TaskRun | undefined;
  /** Due times that were not run, over all processes. */
  readonly missed: number;
}

export interface ScheduleStatus {
  readonly tasks: readonly ScheduledTask[];
  /** False: Redis has not told, so this is what this process knows alone. */
  readonly complete: boolean;
}

/** What a process asks for. */
export interface SlotRequest {
  readonly task: string;
  /** When it was due, ms since 1970: the same number in every process. 0: now, because somebody has asked. */
  readonly slot: number;
  /** Never the same twice. The same one again where it is not known what became of the first question. */
  readonly token: string;
  /** Before this process began nothing was its business, ms since 1970. */
  readonly since: number;
  /** The name of this process. */
  readonly process: string;
}

/** What comes of a question for a slot. */
export type SlotAnswer =
  /** It is this process's to run. */
  | {
      readonly state: 'taken';
      /** The one that was asked for, or an older one whose process has died. */
      readonly slot: number;
      readonly attempt: number;
      /** The last slot before it that was settled, ms since 1970. */
      readonly settled: number;
      /** How long it had been nobody's, ms; 0: it is new. */
      readonly orphanedMs: number;
      /** When its first attempt began, ms since 1970. */
      readonly begunAt: number;
    }
  /** Somebody runs the task; ask again after so many ms. */
  | { readonly state: 'held'; readonly askAgainMs: number }
  /** It was settled before. */
  | { readonly state: 'past'; readonly settled: number }
  /** By the clock that counts it is not due yet. */
  | { readonly state: 'early'; readonly askAgainMs: number };

/** Who runs which slot, agreed on by all processes. Every method throws where the agreement cannot be reached. */
export interface Slots {
  claim(request: SlotRequest): Promise<SlotAnswer>;
  /** Keeps the claim for another lease. @returns false: it is lost, somebody else may run the slot */
  renew(task: string, token: string, attempt: number): Promise<boolean>;
  /** The slot is over: nobody runs it again. @param run absent: it was not run. @returns false: the claim was lost before */
  settle(task: string, token: string, missed: number, run?: TaskRun): Promise<boolean>;
  /** Lets another process go on with the slot, at once. */
  release(task: string, token: string): Promise<void>;
  state(task: string): Promise<TaskState>;
  /** The latest, newest first. */
  runs(task: string): Promise<readonly TaskRun[]>;
}
