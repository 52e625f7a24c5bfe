// The report cache: the only file that knows express-report-cache. Everything else is an ordinary platform.
import {
  costMigrations,
  createReportCache,
  outboxMigrations,
  persistMigrations,
  summarizeCosts,
  tag,
  type ReportCacheOptions,
  versionMigrations,
} from 'express-report-cache';
import { prometheusMetrics } from 'express-report-cache/prometheus';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import client, { type Registry } from 'prom-client';
import type { DataSource } from 'typeorm';
import type { Viewer } from './auth.js';
import type { Config } from './config.js';
import {
  Assessment,
  Course,
  ElementProgress,
  Enrolment,
  FacultyMember,
  Material,
  MaterialProgress,
  ModulePresentation,
  ParentLink,
  Report,
  ReportConcern,
  Room,
  Submission,
  TimetableConfig,
  TimetableStudent,
  TutorAssignment,
  User,
} from './entities/index.js';
import { LOCAL_MODEL } from './insights/local-engine.js';
import { LESSON_PRICES, lessonLimits } from './lessons/costs.js';

export {
  costMigrations,
  createReportCache,
  outboxMigrations,
  persistMigrations,
  summarizeCosts,
  tag,
  versionMigrations,
};
export type {
  AdminList,
  Answer,
  CostDay,
  Price,
  ResourceOptions,
  Resources,
  ResourceScope,
  SpendLimits,
  ValueCodec,
  VersionAnswer,
  VersionedSubject,
  VersionListing,
  Versions,
  WarmLists,
  WarmTarget,
} from 'express-report-cache';

/** Courses, their assessments and materials: nearly every report reads them and they hardly ever change. */
export const CATALOGUE = tag('catalogue', 'all');
/** Names of people, likewise. */
export const DIRECTORY = tag('directory', 'all');

/** Who a reader is to the cache; what is made ready ahead is found by him only if it says the same. */
export const identityOf = ({ id, role }: Pick<Viewer, 'id' | 'role'>) => ({ user: id, role });

export type Reports = ReturnType<typeof createReportCache>;

export interface Caching {
  readonly reports: Reports;
  /** Of this platform alone. */
  readonly register: Registry;
  /** @param fresh the data was loaded a moment ago, so whatever Redis still holds is about other data. */
  connect(dataSource: DataSource, fresh: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Of the engine without a model: what one costs, so that the figures show something. */
const LOCAL_PRICE = { model: LOCAL_MODEL, from: '2026-01-01', inputPerMillion: 0.5, outputPerMillion: 2.5 };

/** What results cost that somebody has to pay for, and what may be spent on them in a day. */
function costsOf({ ai, limits, lessons }: Config): NonNullable<ReportCacheOptions['costs']> {
  const { price } = ai ?? {};
  const rows = [LOCAL_PRICE, ...(ai && price ? [{ model: ai.model, from: '2026-01-01', ...price }] : [])];
  return {
    prices: [...rows.map((row) => ({ ...row, currency: 'USD' })), ...LESSON_PRICES],
    limits: {
      ai_insight: { perUser: { tokens: limits.studentTokens }, total: { money: limits.money } },
      lesson: lessonLimits(lessons),
    },
  };
}

/** Kept for a day to the second, in the database: they cost more than the room that they take. */
const COSTLY = { persist: true, ttl: '24h', jitter: 0 } as const;

/** What a change of each entity makes out of date, as the tags that the routes put on their reports. */
function declareCascades(reports: Reports): void {
  // A grade, or new work: the student's progress, the presentation's grades and analytics, the tutor, the parents.
  reports.cascade(Submission, {
    student: 'studentId',
    marks: 'studentId',
    presentation: 'assessment.presentationCode',
    tutor: 'student.tutorAssignment.tutorId',
    parent: 'student.parentLinks.parentId',
  });
  reports.cascade(Enrolment, {
    student: 'studentId',
    marks: 'studentId',
    presentation: 'presentationCode',
    tutor: 'student.tutorAssignment.tutorId',
    parent: 'student.parentLinks.parentId',
  });
  // Reading touches the analytics by a kind of its own, so that it leaves the presentation's grades alone.
  reports.cascade(MaterialProgress, {
    student: 'studentId',
    engagement: 'material.presentationCode',
    tutor: 'student.tutorAssignment.tutorId',
    parent: 'student.parentLinks.parentId',
  });
  reports.cascade(ElementProgress, { student: 'studentId' });
  // A saved report: itself, everything its author and the users it concerns look at, remarks in progress reports,
  // and the count of weekly reports in the tutor's overview, whoever looks at those.
  reports.cascade(Report, {
    saved_report: 'id',
    viewer: ['authorId', 'concerns.userId'],
    tutor: 'authorId',
    student: 'concerns.userId',
  });
  reports.cascade(ReportConcern, { saved_report: 'reportId', viewer: 'userId', student: 'userId' });
  reports.cascade(TutorAssignment, { tutor: 'tutorId' });
  reports.cascade(ParentLink, { parent: 'parentId' });
  // The timetable: one list of one organisation, and what is derived from it.
  reports.cascade(Course, { courses: 'organizationId' });
  reports.cascade(FacultyMember, { faculty: 'organizationId' });
  reports.cascade(Room, { rooms: 'organizationId' });
  reports.cascade(TimetableStudent, { students: 'organizationId' });
  reports.cascade(TimetableConfig, { config: 'organizationId' });
  reports.cascade(User, () => [DIRECTORY], { kinds: ['directory'] });
  for (const entity of [ModulePresentation, Assessment, Material])
    reports.cascade<ModulePresentation | Assessment | Material>(entity, () => [CATALOGUE], { kinds: ['catalogue'] });
}

/** @param create makes the cache of these options: the place to change or replace it without a word to the platform. */
export function createCaching(
  config: Config,
  logger: Logger,
  create: typeof createReportCache = createReportCache,
): Caching {
  const { redisUrl, schema } = config;
  const redis = redisUrl === undefined ? undefined : new Redis(redisUrl, { lazyConnect: true });
  // Without a listener ioredis prints every lost connection; the reports go on from memory or the database.
  redis?.on('error', (error: Error) => logger.warn({ err: error }, 'redis'));
  const register = new client.Registry();
  const reports = create({
    ...(redis && { redis }),
    // Two platforms on one Redis must not meet: the same student id is somebody else there.
    namespace: schema,
    identify: (req) => req.user && identityOf(req.user),
    types: {
      // Longer than any engine may take: who gave up waiting would begin a second analysis. And those who have waited for one
      // that failed are told so, and do not ask for it anew, each at a price.
      ai_insight: { ...COSTLY, wait: '2m', restAfterError: '5s' },
      user_analytics: COSTLY,
      lesson: {},
    },
    costs: costsOf(config),
    observers: [prometheusMetrics(client, { register })],
    logger,
  });
  declareCascades(reports);
  return {
    reports,
    register,
    async connect(dataSource, fresh) {
      // Resolves when Redis is ready; where it is away, ioredis goes on trying and the platform starts all the same.
      await redis?.connect().catch(() => undefined);
      await reports.connect(dataSource, { persist: true });
      if (fresh) await reports.clear();
      // Views, stale entries, old tags, expired rows: each due time in one of the processes that share the Redis.
      if (config.schedule) reports.schedule();
    },
    async close() {
      await reports.close();
      redis?.disconnect();
    },
  };
}
