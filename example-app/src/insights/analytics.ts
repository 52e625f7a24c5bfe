// A user's figures as of one moment, kept for a day: what he has done on the platform in whatever role.
import type { DataSource } from 'typeorm';
import type { Answer, Reports } from '../cache.js';
import { notFound } from '../problem.js';
import type { Query } from '../reports/sql.js';

export interface Snapshot {
  readonly role: string;
  readonly presentations: number;
  readonly submissions: number;
  readonly graded: number;
  readonly mean_score: number | null;
  readonly materials_started: number;
  readonly materials_completed: number;
  readonly taught: number;
  readonly grades_given: number;
  readonly tutees: number;
  readonly children: number;
  readonly reports_written: number;
}

const SQL = `
SELECT u.role,
       (SELECT count(*)::int FROM enrolments WHERE student_id = u.id) AS presentations,
       work.submissions, work.graded, work.mean_score, reading.materials_started, reading.materials_completed,
       (SELECT count(*)::int FROM module_presentations WHERE teacher_id = u.id) AS taught,
       (SELECT count(*)::int FROM submissions WHERE graded_by_id = u.id) AS grades_given,
       (SELECT count(*)::int FROM tutor_assignments WHERE tutor_id = u.id) AS tutees,
       (SELECT count(*)::int FROM parent_links WHERE parent_id = u.id) AS children,
       (SELECT count(*)::int FROM reports WHERE author_id = u.id) AS reports_written
  FROM users u
 CROSS JOIN LATERAL (SELECT count(*)::int AS submissions, count(score)::int AS graded,
                            round(avg(score)::numeric, 1)::float8 AS mean_score
                       FROM submissions WHERE student_id = u.id) work
 CROSS JOIN LATERAL (SELECT count(*)::int AS materials_started,
                            count(*) FILTER (WHERE percent = 100)::int AS materials_completed
                       FROM material_progress WHERE student_id = u.id) reading
 WHERE u.id = $1`;

export interface Analytics {
  /** @throws 404 where there is no such user */
  get(userId: number): Promise<Answer<Snapshot>>;
}

export function createAnalytics(reports: Reports, dataSource: DataSource): Analytics {
  const query: Query = (sql, parameters) => dataSource.query(sql, [...parameters]);
  return {
    get: (userId) =>
      reports.getOrLoadAnswer<Snapshot>(
        // No tags of what it reads: it is a snapshot, and says as of when.
        { type: 'user_analytics', report: userId, identity: { user: userId, tenant: userId }, share: 'tenant' },
        async () => {
          const [row] = await query<Snapshot>(SQL, [userId]);
          if (row === undefined) throw notFound(`user ${userId}`);
          return row;
        },
      ),
  };
}
