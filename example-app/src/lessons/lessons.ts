// Lessons in versions: each is written once, when it is first read, and kept for good; others can be written beside it.
import type { Logger } from 'pino';
import type { Reports, VersionedSubject, Versions } from '../cache.js';
import { Problem } from '../problem.js';
import { isLesson, type Lesson, type LessonKey } from './lesson.js';
import type { LessonWriter } from './writer.js';

export type Lessons = Versions<Lesson>;

/** Of one lesson; the next one is refused. */
export const MAX_VERSIONS = 20;
export interface LessonParts {
  readonly reports: Reports;
  readonly writer: LessonWriter;
  /** A reader who has waited for so long is told to ask again; what is being written is saved all the same. */
  readonly patienceMs: number;
  readonly logger: Logger;
}

export function createLessons({ reports, writer, patienceMs, logger }: LessonParts): Lessons {
  return reports.versions<Lesson>('lesson', {
    maxVersions: MAX_VERSIONS,
    hardTimeout: `${patienceMs}ms`,
    generate: async (subject, run) => {
      const { reason } = run;
      const order = { ...keyOf(subject), ...(reason !== undefined && { reason }) };
      const lesson = await writer.write(order, run.cost).catch((error: unknown) => {
        logger.warn({ err: error }, 'a lesson could not be written');
        throw unwritten('The lesson could not be written. Nothing was saved; try again in a moment.');
      });
      if (isLesson(lesson)) return lesson;
      logger.warn('what the writer of lessons has returned is none');
      throw unwritten('What was written is not a lesson. Nothing was saved; try again in a moment.');
    },
  });
}

/** What the cache knows a lesson by. */
export function subjectOf({ title, number, style }: LessonKey): VersionedSubject {
  return { report: title, filters: { number, style } };
}

/** The way back: all subjects here are made above. */
function keyOf({ report, filters }: VersionedSubject): LessonKey {
  const { number, style } = filters as Omit<LessonKey, 'title'>;
  return { title: String(report), number, style };
}

function unwritten(detail: string): Problem {
  return new Problem(502, detail, { code: 'lesson_unwritten' });
}
