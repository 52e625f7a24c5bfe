// Pieces that several reports share: how a score is weighed, and what a set of pupils looks like.

/** One statement reads one snapshot: a report never mixes the time before and after a grade. */
export type Query = <Row>(sql: string, parameters: readonly unknown[]) => Promise<Row[]>;

/**
 * Standing of every student of the CTE `pupils(student_id)` on each of his presentations; `$2` narrows it to one.
 * Gives the CTEs `seats`, `marks`, `reading` and `standing`.
 */
export const STANDING = `
  seats AS (
    SELECT e.student_id, e.presentation_code, e.final_result
      FROM pupils JOIN enrolments e USING (student_id)
     WHERE $2::text IS NULL OR e.presentation_code = $2
  ),
  marks AS (
    SELECT seats.student_id, seats.presentation_code,
           sum(s.score * a.weight) / nullif(sum(a.weight) FILTER (WHERE s.score IS NOT NULL), 0) AS weighted,
           avg(s.score) AS mean,
           count(s.score)::int AS graded,
           count(*) FILTER (WHERE s.score IS NULL)::int AS awaiting,
           count(*) FILTER (WHERE s.submitted_day > a.due_day)::int AS late,
           max(s.submitted_day)::int AS last_day
      FROM seats
      JOIN assessments a ON a.presentation_code = seats.presentation_code
      JOIN submissions s ON s.assessment_id = a.id AND s.student_id = seats.student_id
     GROUP BY seats.student_id, seats.presentation_code
  ),
  reading AS (
    SELECT seats.student_id, seats.presentation_code,
           count(*)::int AS started,
           count(*) FILTER (WHERE p.percent = 100)::int AS completed,
           avg(p.percent) AS mean_percent
      FROM seats
      JOIN material_progress p ON p.student_id = seats.student_id
      JOIN materials m ON m.id = p.material_id AND m.presentation_code = seats.presentation_code
     GROUP BY seats.student_id, seats.presentation_code
  ),
  standing AS (
    SELECT seats.student_id, seats.presentation_code, seats.final_result,
           round(coalesce(marks.weighted, marks.mean)::numeric, 1) AS score,
           coalesce(marks.graded, 0) AS graded,
           coalesce(marks.awaiting, 0) AS awaiting,
           coalesce(marks.late, 0) AS late,
           marks.last_day,
           coalesce(reading.started, 0) AS started,
           coalesce(reading.completed, 0) AS completed,
           round(reading.mean_percent, 1) AS reading_percent
      FROM seats
      LEFT JOIN marks USING (student_id, presentation_code)
      LEFT JOIN reading USING (student_id, presentation_code)
  )`;
