// What a parent sees of the children: standing on each presentation and the latest grades.
import { notFound } from '../problem.js';
import { type Query, STANDING } from './sql.js';

export interface ChildrenFilters {
  readonly presentation: string | null;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly children: readonly unknown[];
}

const SQL = `
WITH pupils AS (SELECT student_id FROM parent_links WHERE parent_id = $1),
${STANDING},
grades AS (
  SELECT s.student_id, a.presentation_code, a.id, a.type, s.score, s.graded_at,
         row_number() OVER (PARTITION BY s.student_id ORDER BY s.graded_at DESC NULLS LAST, a.id DESC) AS recency
    FROM seats
    JOIN assessments a ON a.presentation_code = seats.presentation_code
    JOIN submissions s ON s.assessment_id = a.id AND s.student_id = seats.student_id
   WHERE s.score IS NOT NULL
)
SELECT p.id, p.name,
       (SELECT coalesce(json_agg(json_build_object(
                 'student', child.id, 'name', child.name,
                 'presentations', (SELECT coalesce(json_agg(json_build_object(
                     'code', presentation_code, 'result', final_result, 'score', score, 'graded', graded,
                     'awaitingGrade', awaiting, 'late', late, 'materialsStarted', started,
                     'materialsCompleted', completed, 'readingPercent', reading_percent
                   ) ORDER BY presentation_code), '[]'::json) FROM standing WHERE student_id = child.id),
                 'latestGrades', (SELECT coalesce(json_agg(json_build_object(
                     'assessment', id, 'presentation', presentation_code, 'type', type, 'score', score, 'gradedAt', graded_at
                   ) ORDER BY recency), '[]'::json) FROM grades WHERE student_id = child.id AND recency <= 5)
               ) ORDER BY child.id), '[]'::json)
          FROM pupils JOIN users child ON child.id = pupils.student_id) AS children
  FROM users p
 WHERE p.id = $1 AND p.role = 'parent'`;

export async function parentChildren(query: Query, parentId: number, filters: ChildrenFilters): Promise<object> {
  const [row] = await query<Row>(SQL, [parentId, filters.presentation]);
  if (row === undefined) throw notFound(`parent ${parentId}`);
  return { report: 'parent_children', parent: { id: row.id, name: row.name }, filters, children: row.children };
}
