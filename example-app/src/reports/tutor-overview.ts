// A tutor's students side by side, the ones that need attention first.
import { notFound } from '../problem.js';
import { type Query, STANDING } from './sql.js';

export interface OverviewFilters {
  readonly presentation: string | null;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly summary: unknown;
  readonly students: readonly unknown[];
  readonly weekly: unknown;
}

const SQL = `
WITH pupils AS (SELECT student_id FROM tutor_assignments WHERE tutor_id = $1),
${STANDING},
ranked AS (
  SELECT standing.*, u.name,
         CASE WHEN score IS NOT NULL THEN rank() OVER (PARTITION BY score IS NULL ORDER BY score DESC) END AS place,
         (coalesce(score, 0) < 50 OR late >= 2) AS attention
    FROM standing JOIN users u ON u.id = standing.student_id
)
SELECT t.id, t.name,
       (SELECT json_build_object('students', count(DISTINCT student_id), 'meanScore', round(avg(score), 1),
                 'medianScore', percentile_cont(0.5) WITHIN GROUP (ORDER BY score), 'awaitingGrade', coalesce(sum(awaiting), 0),
                 'late', coalesce(sum(late), 0), 'needAttention', count(*) FILTER (WHERE attention)) FROM ranked) AS summary,
       (SELECT coalesce(json_agg(json_build_object(
                 'student', student_id, 'name', name, 'presentation', presentation_code, 'result', final_result,
                 'score', score, 'place', place, 'graded', graded, 'awaitingGrade', awaiting, 'late', late,
                 'lastSubmittedDay', last_day, 'materialsStarted', started, 'materialsCompleted', completed,
                 'readingPercent', reading_percent, 'attention', attention
               ) ORDER BY attention DESC, score NULLS FIRST, student_id), '[]'::json) FROM ranked) AS students,
       (SELECT json_build_object('written', count(*), 'last', max(created_at))
          FROM reports r WHERE r.author_id = t.id AND r.kind = 'tutor_weekly') AS weekly
  FROM users t
 WHERE t.id = $1 AND t.role = 'tutor'`;

export async function tutorOverview(query: Query, tutorId: number, filters: OverviewFilters): Promise<object> {
  const [row] = await query<Row>(SQL, [tutorId, filters.presentation]);
  if (row === undefined) throw notFound(`tutor ${tutorId}`);
  return {
    report: 'tutor_overview',
    tutor: { id: row.id, name: row.name },
    filters,
    summary: row.summary,
    students: row.students,
    weeklyReports: row.weekly,
  };
}
