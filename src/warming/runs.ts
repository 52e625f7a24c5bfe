// The runs of this process: a few at a time, told of while they go on, remembered for whoever asks afterwards.
import type { Clock } from '../contract/clock.js';
import { ReportCacheError } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { WarmProgress, WarmReport, WarmRun, WarmStop } from '../contract/warming.js';
import type { WarmPolicy } from '../options/loaded.js';
import { Pace } from './pace.js';
import { warm, type WarmJob } from './run.js';

export interface RunsParts {
  /** An empty question to the database; undefined: there is none. */
  readonly askDatabase: () => (() => Promise<unknown>) | undefined;
  readonly bounds: {
    readonly runs: number;
    readonly remembered: number;
    readonly failures: number;
    readonly progressMs: number;
    readonly askMs: number;
    readonly slowAnswers: number;
    readonly firstPauseMs: number;
  };
  /** Around the making of each, for whoever watches. */
  readonly watched: (type: string, making: WarmJob['make']) => ReturnType<WarmJob['make']>;
  readonly clock: Clock;
  readonly emit: EventSink;
}

const NOTHING_YET: Omit<WarmProgress, 'total'> = { cached: 0, computed: 0, failed: 0 };

export class WarmRuns {
  #states: WarmRun[] = [];
  #last = 0;
  #under = 0;
  #stopAll: () => void = () => undefined;
  readonly #closed = new Promise<WarmStop>((resolve) => {
    this.#stopAll = () => resolve('closed');
  });

  constructor(private readonly parts: RunsParts) {}

  /** Newest first. */
  get states(): readonly WarmRun[] {
    return this.#states;
  }

  /** Ends all that run, without waiting for what is under way. */
  close(): void {
    this.#stopAll();
  }

  /** @throws ERC_OVERLOADED where as many run as may; ERC_OPTION for what `list` refuses */
  async begin(
    what: Pick<WarmRun, 'way' | 'name'>,
    policy: WarmPolicy,
    list: () => Promise<readonly WarmJob[]>,
  ): Promise<WarmReport> {
    const { bounds, clock, emit, askDatabase, watched } = this.parts;
    if (this.#under >= bounds.runs)
      throw new ReportCacheError('ERC_OVERLOADED', `${bounds.runs} runs of warming are under way in this process.`);
    this.#under += 1;
    try {
      const jobs = await list();
      if (policy.dryRun) return { total: jobs.length, ...NOTHING_YET, skipped: jobs.length, failures: [], ms: 0 };
      this.#last += 1;
      const id = this.#last;
      const tell = (state: 'begun' | 'progress' | 'ended', progress: WarmProgress, stopped?: WarmStop) => {
        const { total, cached, computed, failed } = progress;
        emit({
          kind: 'warming',
          run: id,
          ...what,
          state,
          total,
          cached,
          computed,
          failed,
          ...(stopped && { stopped }),
        });
      };
      const begun = { total: jobs.length, ...NOTHING_YET };
      this.#remember({ id, ...what, at: new Date(clock.now()), running: true, ...begun });
      tell('begun', begun);
      let toldAt = clock.monotonic();
      const report = await warm(jobs, {
        make: (job) => watched(job.type, () => job.make()),
        concurrency: policy.concurrency,
        budgetMs: policy.budgetMs,
        pace: new Pace({ ...bounds, ask: askDatabase(), slowMs: policy.slowDatabaseMs, clock }),
        stopped: Promise.race([this.#closed, aborted(policy.signal)]),
        clock,
        mostFailures: bounds.failures,
        progress: (progress) => {
          policy.onProgress?.(progress);
          this.#change(id, progress);
          if (clock.monotonic() - toldAt < bounds.progressMs) return;
          toldAt = clock.monotonic();
          tell('progress', progress);
        },
      });
      const { failures: _, ...summary } = report;
      this.#change(id, { ...summary, running: false });
      tell('ended', report, report.stopped);
      return report;
    } finally {
      this.#under -= 1;
    }
  }

  #remember(state: WarmRun): void {
    this.#states = [state, ...this.#states].slice(0, this.parts.bounds.remembered);
  }

  #change(id: number, change: Partial<WarmRun>): void {
    this.#states = this.#states.map((state) => (state.id === id ? { ...state, ...change } : state));
  }
}

function aborted(signal: AbortSignal | undefined): Promise<WarmStop> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve('aborted');
    else signal?.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
