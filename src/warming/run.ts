// One run: jobs one after the other, some at a time, within its bounds; what fails stops no other.
import type { Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import type { WarmFailure, WarmProgress, WarmReport, WarmStop } from '../contract/warming.js';

/** One report of one reader, or one resource. */
export interface WarmJob {
  readonly type: string;
  readonly report: string;
  readonly user?: string;
  /** @throws why it is not ready */
  make(): Promise<{ readonly computed: boolean }>;
}

export interface RunParts {
  readonly make: (job: WarmJob) => ReturnType<WarmJob['make']>;
  readonly concurrency: number;
  readonly budgetMs: number;
  /** Waits until there is room for one more; false: there will be none. */
  readonly pace: { ready(): Promise<boolean> };
  /** Ends the run: what is under way is not waited for. */
  readonly stopped: Promise<WarmStop>;
  readonly clock: Clock;
  /** Failures that are told one by one. */
  readonly mostFailures: number;
  readonly progress: (progress: WarmProgress) => void;
}

/** Never rejects. */
export async function warm(jobs: readonly WarmJob[], parts: RunParts): Promise<WarmReport> {
  const { make, concurrency, budgetMs, pace, clock, mostFailures, progress } = parts;
  const began = clock.monotonic();
  const failures: WarmFailure[] = [];
  const tally = { cached: 0, computed: 0, failed: 0 };
  let next = 0;
  let stop: WarmStop | undefined;

  const one = async (job: WarmJob): Promise<void> => {
    try {
      const { computed } = await make(job);
      if (stop !== undefined) return;
      tally.cached += 1;
      if (computed) tally.computed += 1;
    } catch (error) {
      if (stop !== undefined) return;
      tally.failed += 1;
      const { type, report, user } = job;
      const reason = errorText(error);
      if (failures.length < mostFailures) failures.push({ type, report, ...(user !== undefined && { user }), reason });
    }
    progress({ total: jobs.length, ...tally });
  };

  const worker = async (): Promise<void> => {
    for (;;) {
      if (stop !== undefined || next >= jobs.length) return;
      if (!(await pace.ready())) {
        stop ??= 'database';
        return;
      }
      const job = stop === undefined ? jobs[next] : undefined;
      if (job === undefined) return;
      next += 1;
      await one(job);
    }
  };

  let timer: { cancel(): void } | undefined;
  const over = new Promise<WarmStop>((resolve) => {
    timer = clock.after(budgetMs, () => resolve('budget'));
  });
  const workers = Promise.all(Array.from({ length: Math.min(concurrency, jobs.length) }, worker)).then(() => undefined);
  const ended = await Promise.race([workers, over, parts.stopped]);
  timer?.cancel();
  stop ??= ended;
  const { cached, failed } = tally;
  return {
    total: jobs.length,
    ...tally,
    skipped: jobs.length - cached - failed,
    ...(stop !== undefined && { stopped: stop }),
    failures,
    ms: clock.monotonic() - began,
  };
}
