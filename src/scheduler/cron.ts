// When something is due: cron patterns in a time zone, as pure functions of a moment.
import { Cron } from 'croner';

/** Five fields, or six with seconds in front. Times are ms since 1970. */
export interface Timetable {
  /** The first due time after `at`; undefined: there is none any more. */
  next(at: number): number | undefined;
  /** The last due time not after `at`; undefined: there is none. */
  latest(at: number): number | undefined;
  /** Due times after `from` and before `to`; `most` where there are more. */
  between(from: number, to: number, most: number): number;
}

/**
 * In spring an hour of the zone is missing: what is due in it is due right after it. In autumn an hour comes twice: what
 * is due at a time of day in it is due once, what is due every so many minutes goes on.
 * @throws what `croner` says of a pattern or a zone that it does not know
 */
export function timetableOf(pattern: string, timezone: string): Timetable {
  // Paused and without a function: it computes and starts no timer.
  const cron = new Cron(pattern, { timezone, paused: true });
  // A zone is only looked at when it is needed.
  cron.nextRun(new Date(0));
  return {
    next: (at) => cron.nextRun(new Date(at))?.getTime(),
    // Its past ends before the second that is named.
    latest: (at) => cron.previousRuns(1, new Date(Math.floor(at / 1000) * 1000 + 1000))[0]?.getTime(),
    between: (from, to, most) => {
      let count = 0;
      for (let at = cron.nextRun(new Date(from)); at && at.getTime() < to && count < most; at = cron.nextRun(at))
        count += 1;
      return count;
    },
  };
}
