// A student's progress: only what is the student's own, so that another student's grade leaves it as it is.
import { notFound } from '../problem.js';
import type { Query } from './sql.js';

export interface ProgressFilters {
  readonly presentation: string | null;
  readonly assessmentType: string | null;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly presentations: readonly unknown[];
  readonly remarks: readonly unknown[];
}

const SQL = `
WITH taken AS (
  SELECT e.presentation_code AS code, e.final_result, e.registered_day, e.unregistered_day, p.starts_on, p.length_days
    FROM enrolments e JOIN module_presentations p ON p.code = e.presentation_code
   WHERE e.student_id = $1 AND ($2::text IS NULL OR e.presentation_code = $2)
),
work AS (
  SELECT a.presentation_code AS code, a.id, a.type, a.due_day, a.weight, s.score, s.submitted_day, s.banked, s.graded_at,
         CASE WHEN s.student_id IS NULL THEN 'open' WHEN s.score IS NULL THEN 'awaiting grade' ELSE 'graded' END AS status,
         greatest(s.submitted_day - a.due_day, 0) AS days_late,
         sum(s.score * a.weight) OVER so_far
           / nullif(sum(a.weight) FILTER (WHERE s.score IS NOT NULL) OVER so_far, 0) AS running,
         s.score - lag(s.score) OVER (PARTITION BY a.presentation_code ORDER BY a.due_day, a.id) AS change
    FROM taken
    JOIN assessments a ON a.presentation_code = taken.code
    LEFT JOIN submissions s ON s.assessment_id = a.id AND s.student_id = $1
   WHERE $3::text IS NULL OR a.type = $3
  WINDOW so_far AS (PARTITION BY a.presentation_code ORDER BY a.due_day, a.id)
),
marks AS (
  SELECT code,
         json_agg(json_build_object(
           'id', id, 'type', type, 'dueDay', due_day, 'weight', weight, 'status', status,
           'submittedDay', submitted_day, 'daysLate', days_late, 'banked', banked, 'score', score,
           'gradedAt', graded_at, 'change', change, 'weightedSoFar', round(running::numeric, 1)
         ) ORDER BY due_day, id) AS assessments,
         round((sum(score * weight) / nullif(sum(weight) FILTER (WHERE score IS NOT NULL), 0))::numeric, 1) AS weighted,
         round(avg(score)::numeric, 1) AS mean,
         min(score) AS lowest,
         max(score) AS highest,
         round((regr_slope(score, due_day) * 30)::numeric, 2) AS trend,
         count(score)::int AS graded,
         count(*) FILTER (WHERE status = 'awaiting grade')::int AS awaiting,
         count(*) FILTER (WHERE status = 'open')::int AS open,
         count(*) FILTER (WHERE days_late > 0)::int AS late
    FROM work GROUP BY code
),
elements AS (
  SELECT material_id, count(*) FILTER (WHERE percent = 100) AS finished
    FROM element_progress WHERE student_id = $1 GROUP BY material_id
),
reading AS (
  SELECT m.presentation_code AS code,
         count(*)::int AS materials,
         count(p.material_id)::int AS started,
         count(*) FILTER (WHERE p.percent = 100)::int AS completed,
         round(avg(p.percent), 1) AS mean_percent,
         coalesce(sum(elements.finished), 0)::int AS elements_finished,
         max(p.updated_at) AS last_read
    FROM taken
    JOIN materials m ON m.presentation_code = taken.code
    LEFT JOIN material_progress p ON p.material_id = m.id AND p.student_id = $1
    LEFT JOIN elements ON elements.material_id = m.id
   GROUP BY m.presentation_code
)
SELECT u.id, u.name,
       (SELECT coalesce(json_agg(json_build_object(
                 'code', taken.code, 'startsOn', taken.starts_on, 'lengthDays', taken.length_days,
                 'result', taken.final_result, 'registeredDay', taken.registered_day,
                 'unregisteredDay', taken.unregistered_day,
                 'weightedScore', marks.weighted, 'meanScore', marks.mean, 'lowest', marks.lowest,
                 'highest', marks.highest, 'trendPer30Days', marks.trend, 'graded', coalesce(marks.graded, 0),
                 'awaitingGrade', coalesce(marks.awaiting, 0), 'open', coalesce(marks.open, 0),
                 'late', coalesce(marks.late, 0), 'assessments', coalesce(marks.assessments, '[]'::json),
                 'materials', json_build_object(
                   'total', coalesce(reading.materials, 0), 'started', coalesce(reading.started, 0),
                   'completed', coalesce(reading.completed, 0), 'meanPercent', reading.mean_percent,
                   'elementsFinished', coalesce(reading.elements_finished, 0), 'lastRead', reading.last_read)
               ) ORDER BY taken.code), '[]'::json)
          FROM taken LEFT JOIN marks USING (code) LEFT JOIN reading USING (code)) AS presentations,
       (SELECT coalesce(json_agg(json_build_object(
                 'report', r.id, 'kind', r.kind, 'title', r.title, 'author', r.author_id, 'createdAt', r.created_at
               ) ORDER BY r.created_at DESC, r.id DESC), '[]'::json)
          FROM report_concerns c JOIN reports r ON r.id = c.report_id WHERE c.user_id = $1) AS remarks
  FROM users u
 WHERE u.id = $1 AND u.role = 'student'`;

export async function studentProgress(query: Query, studentId: number, filters: ProgressFilters): Promise<object> {
  const [row] = await query<Row>(SQL, [studentId, filters.presentation, filters.assessmentType]);
  if (row === undefined) throw notFound(`student ${studentId}`);
  return {
    report: 'student_progress',
    student: { id: row.id, name: row.name },
    filters,
    presentations: row.presentations,
    remarks: row.remarks,
  };
}
