// What an analysis is made of: one student's figures in one subject. Figures alone, no name and no id, since they may leave the house.
import { notFound } from '../problem.js';
import type { Query } from '../reports/sql.js';

export interface Figures {
  readonly subject: string;
  /** Of every time that the student took it. */
  readonly results: readonly string[];
  readonly graded: number;
  readonly awaiting: number;
  readonly late: number;
  /** 0 to 100; null while nothing is graded. */
  readonly score: number | null;
  readonly lowest: number | null;
  readonly highest: number | null;
  /** Points in 30 days. */
  readonly trend: number | null;
  /** The student's score in all other subjects. */
  readonly elsewhere: number | null;
  readonly materials: number;
  readonly completed: number;
}

const SQL = `
WITH work AS (
  SELECT p.module = $2 AS here, a.due_day, a.weight, s.score, s.submitted_day
    FROM enrolments e
    JOIN module_presentations p ON p.code = e.presentation_code
    JOIN assessments a ON a.presentation_code = p.code
    JOIN submissions s ON s.assessment_id = a.id AND s.student_id = e.student_id
   WHERE e.student_id = $1
),
taken AS (
  SELECT e.presentation_code AS code, e.final_result
    FROM enrolments e JOIN module_presentations p ON p.code = e.presentation_code
   WHERE e.student_id = $1 AND p.module = $2
),
reading AS (
  SELECT count(*)::int AS materials, count(*) FILTER (WHERE p.percent = 100)::int AS completed
    FROM taken
    JOIN materials m ON m.presentation_code = taken.code
    LEFT JOIN material_progress p ON p.material_id = m.id AND p.student_id = $1
)
SELECT (SELECT array_agg(final_result ORDER BY code) FROM taken) AS results,
       count(score) FILTER (WHERE here)::int AS graded,
       count(*) FILTER (WHERE here AND score IS NULL)::int AS awaiting,
       count(*) FILTER (WHERE here AND submitted_day > due_day)::int AS late,
       round(coalesce(sum(score * weight) FILTER (WHERE here AND score IS NOT NULL)
         / nullif(sum(weight) FILTER (WHERE here AND score IS NOT NULL), 0), avg(score) FILTER (WHERE here))::numeric, 1)::float8 AS score,
       min(score) FILTER (WHERE here) AS lowest,
       max(score) FILTER (WHERE here) AS highest,
       round((regr_slope(score, due_day) FILTER (WHERE here) * 30)::numeric, 1)::float8 AS trend,
       round((avg(score) FILTER (WHERE NOT here))::numeric, 1)::float8 AS elsewhere,
       (SELECT materials FROM reading) AS materials,
       (SELECT completed FROM reading) AS completed
  FROM work`;

type Row = Omit<Figures, 'subject' | 'results'> & { readonly results: readonly string[] | null };

/** @throws 404 where the student does not take the subject */
export async function figuresOf(query: Query, studentId: number, subject: string): Promise<Figures> {
  const [row] = await query<Row>(SQL, [studentId, subject]);
  if (row === undefined || row.results === null) throw notFound(`subject "${subject}" of student ${studentId}`);
  return { subject, ...row, results: row.results };
}
