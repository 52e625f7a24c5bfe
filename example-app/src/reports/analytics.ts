// Analytics of one presentation: submissions by week, results by background, withdrawals, engagement by activity.
import { notFound } from '../problem.js';
import type { Query } from './sql.js';

export const BANDS = ['imd', 'age', 'education', 'region'] as const;
export type Band = (typeof BANDS)[number];

export interface AnalyticsFilters {
  /** The background by which results are grouped. */
  readonly band: Band;
}

interface Row {
  readonly code: string;
  readonly funnel: unknown;
  readonly weeks: readonly unknown[];
  readonly results: readonly unknown[];
  readonly withdrawals: readonly unknown[];
  readonly engagement: readonly unknown[];
}

const SQL = `
WITH seats AS (
  SELECT e.student_id, e.final_result, e.unregistered_day,
         coalesce(CASE $2::text WHEN 'imd' THEN e.imd_band WHEN 'age' THEN e.age_band
                                WHEN 'education' THEN e.education ELSE e.region END, 'unknown') AS band
    FROM enrolments e WHERE e.presentation_code = $1
),
handed_in AS (
  SELECT s.student_id, s.score, a.weight, s.submitted_day, s.submitted_day > a.due_day AS late
    FROM assessments a JOIN submissions s ON s.assessment_id = a.id WHERE a.presentation_code = $1
),
weeks AS (
  SELECT floor(submitted_day / 7.0)::int AS week, count(*)::int AS submissions, count(*) FILTER (WHERE late)::int AS late,
         round(avg(score)::numeric, 1) AS mean, sum(count(*)) OVER (ORDER BY floor(submitted_day / 7.0))::int AS running
    FROM handed_in GROUP BY floor(submitted_day / 7.0)
),
pupils AS (
  SELECT student_id, coalesce(sum(score * weight) / nullif(sum(weight) FILTER (WHERE score IS NOT NULL), 0), avg(score)) AS score
    FROM handed_in GROUP BY student_id
),
results AS (
  SELECT seats.band, count(*)::int AS students,
         count(*) FILTER (WHERE final_result IN ('Pass', 'Distinction'))::int AS passed,
         count(*) FILTER (WHERE final_result = 'Distinction')::int AS distinctions,
         count(*) FILTER (WHERE final_result = 'Withdrawn')::int AS withdrawn,
         round(avg(pupils.score)::numeric, 1) AS mean,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY pupils.score) AS median
    FROM seats LEFT JOIN pupils USING (student_id) GROUP BY seats.band
),
withdrawals AS (
  SELECT floor(unregistered_day / 7.0)::int AS week, count(*)::int AS students
    FROM seats WHERE unregistered_day IS NOT NULL GROUP BY 1
),
reading AS (
  SELECT m.activity_type, m.id, p.student_id, p.percent
    FROM materials m LEFT JOIN material_progress p ON p.material_id = m.id WHERE m.presentation_code = $1
),
engagement AS (
  SELECT activity_type, count(DISTINCT id)::int AS materials, count(DISTINCT student_id)::int AS students,
         count(student_id)::int AS started, count(*) FILTER (WHERE percent = 100)::int AS completed,
         round(avg(percent), 1) AS mean_percent
    FROM reading GROUP BY activity_type
)
SELECT p.code,
       (SELECT json_build_object(
                 'enrolled', count(*), 'reading', count(readers.student_id), 'submitting', count(pupils.student_id),
                 'passed', count(*) FILTER (WHERE final_result IN ('Pass', 'Distinction')))
          FROM seats LEFT JOIN pupils USING (student_id)
          LEFT JOIN (SELECT DISTINCT student_id FROM reading) AS readers USING (student_id)) AS funnel,
       (SELECT coalesce(json_agg(json_build_object('week', week, 'submissions', submissions, 'late', late, 'mean', mean,
                 'running', running) ORDER BY week), '[]'::json) FROM weeks) AS weeks,
       (SELECT coalesce(json_agg(json_build_object('band', band, 'students', students, 'passed', passed,
                 'passRate', round(passed::numeric / students, 4), 'distinctions', distinctions, 'withdrawn', withdrawn,
                 'mean', mean, 'median', round(median::numeric, 1)) ORDER BY band), '[]'::json) FROM results) AS results,
       (SELECT coalesce(json_agg(json_build_object('week', week, 'students', students) ORDER BY week), '[]'::json)
          FROM withdrawals) AS withdrawals,
       (SELECT coalesce(json_agg(json_build_object('activity', activity_type, 'materials', materials, 'students', students,
                 'started', started, 'completed', completed, 'meanPercent', mean_percent) ORDER BY started DESC, activity_type),
               '[]'::json) FROM engagement) AS engagement
  FROM module_presentations p
 WHERE p.code = $1`;

export async function analytics(query: Query, code: string, filters: AnalyticsFilters): Promise<object> {
  const [row] = await query<Row>(SQL, [code, filters.band]);
  if (row === undefined) throw notFound(`presentation ${code}`);
  return {
    report: 'analytics',
    presentation: row.code,
    filters,
    funnel: row.funnel,
    submissionsByWeek: row.weeks,
    resultsByBand: row.results,
    withdrawalsByWeek: row.withdrawals,
    engagementByActivity: row.engagement,
  };
}
