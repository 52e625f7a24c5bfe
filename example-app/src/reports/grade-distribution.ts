// How the grades of one presentation are spread: histogram, quartiles, each assessment, and who is falling behind.
import { notFound } from '../problem.js';
import type { Query } from './sql.js';

export interface GradeFilters {
  readonly assessmentType: string | null;
  /** Number of equal bins of the histogram, 1 to 50. */
  readonly bins: number;
}

interface Row {
  readonly code: string;
  readonly students: number;
  readonly overall: unknown;
  readonly histogram: readonly unknown[];
  readonly assessments: readonly unknown[];
  readonly behind: readonly unknown[];
}

const SQL = `
WITH graded AS (
  SELECT s.student_id, s.score, s.submitted_day, a.id AS assessment_id, a.type, a.weight, a.due_day
    FROM assessments a JOIN submissions s ON s.assessment_id = a.id
   WHERE a.presentation_code = $1 AND ($2::text IS NULL OR a.type = $2) AND s.score IS NOT NULL
),
overall AS (
  SELECT count(*)::int AS grades, round(avg(score)::numeric, 2) AS mean, round(stddev_samp(score)::numeric, 2) AS deviation,
         percentile_cont(ARRAY[0, 0.25, 0.5, 0.75, 1]) WITHIN GROUP (ORDER BY score) AS quartiles,
         round(avg((score >= 40)::int), 4) AS pass_rate
    FROM graded
),
histogram AS (
  SELECT bin, count(g.score)::int AS grades,
         sum(count(g.score)) OVER (ORDER BY bin) / nullif(sum(count(g.score)) OVER (), 0) AS cumulative
    FROM generate_series(1, $3::int) AS bin
    -- 100 itself belongs to the last bin, not to one of its own
    LEFT JOIN graded g ON least(width_bucket(g.score, 0, 100, $3::int), $3::int) = bin
   GROUP BY bin
),
each AS (
  SELECT a.id, a.type, a.due_day, a.weight,
         count(g.score)::int AS grades, round(avg(g.score)::numeric, 2) AS mean,
         percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY g.score) AS quartiles,
         count(*) FILTER (WHERE g.submitted_day > a.due_day)::int AS late,
         (SELECT count(*)::int FROM submissions s WHERE s.assessment_id = a.id AND s.score IS NULL) AS awaiting
    FROM assessments a LEFT JOIN graded g ON g.assessment_id = a.id
   WHERE a.presentation_code = $1 AND ($2::text IS NULL OR a.type = $2)
   GROUP BY a.id
),
pupils AS (
  SELECT student_id, coalesce(sum(score * weight) / nullif(sum(weight), 0), avg(score)) AS score, count(*)::int AS grades
    FROM graded GROUP BY student_id
),
ranked AS (
  SELECT student_id, score, grades, rank() OVER (ORDER BY score DESC) AS place, percent_rank() OVER (ORDER BY score) AS percentile
    FROM pupils
)
SELECT p.code,
       (SELECT count(*)::int FROM enrolments e WHERE e.presentation_code = p.code) AS students,
       (SELECT json_build_object('grades', grades, 'mean', mean, 'deviation', deviation, 'passRate', pass_rate,
                 'quartiles', quartiles) FROM overall) AS overall,
       (SELECT json_agg(json_build_object(
                 'from', round((bin - 1) * 100.0 / $3::int, 2), 'to', round(bin * 100.0 / $3::int, 2),
                 'grades', grades, 'cumulative', round(cumulative, 4)) ORDER BY bin) FROM histogram) AS histogram,
       (SELECT coalesce(json_agg(json_build_object(
                 'id', id, 'type', type, 'dueDay', due_day, 'weight', weight, 'grades', grades, 'awaitingGrade', awaiting,
                 'late', late, 'mean', mean, 'quartiles', quartiles) ORDER BY due_day, id), '[]'::json) FROM each) AS assessments,
       (SELECT coalesce(json_agg(json_build_object(
                 'student', student_id, 'weightedScore', round(score::numeric, 1), 'grades', grades, 'place', place,
                 'percentile', round((percentile * 100)::numeric, 1)) ORDER BY score, student_id), '[]'::json)
          FROM (SELECT * FROM ranked ORDER BY score, student_id LIMIT 10) AS last) AS behind
  FROM module_presentations p
 WHERE p.code = $1`;

export async function gradeDistribution(query: Query, code: string, filters: GradeFilters): Promise<object> {
  const [row] = await query<Row>(SQL, [code, filters.assessmentType, filters.bins]);
  if (row === undefined) throw notFound(`presentation ${code}`);
  return {
    report: 'grade_distribution',
    presentation: row.code,
    filters,
    students: row.students,
    overall: row.overall,
    histogram: row.histogram,
    assessments: row.assessments,
    fallingBehind: row.behind,
  };
}
