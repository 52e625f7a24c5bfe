// A saved report with the names of its author and of the users it concerns.
import { notFound } from '../problem.js';
import type { Query } from './sql.js';

const SQL = `
SELECT r.id, r.kind, r.title, r.body, r.created_at AS "createdAt",
       json_build_object('id', a.id, 'name', a.name, 'role', a.role) AS author,
       (SELECT coalesce(json_agg(json_build_object('id', u.id, 'name', u.name, 'role', u.role) ORDER BY u.id), '[]'::json)
          FROM report_concerns c JOIN users u ON u.id = c.user_id WHERE c.report_id = r.id) AS concerns
  FROM reports r JOIN users a ON a.id = r.author_id
 WHERE r.id = $1`;

export async function savedReport(query: Query, reportId: number): Promise<object> {
  const [row] = await query<object>(SQL, [reportId]);
  if (row === undefined) throw notFound(`report ${reportId}`);
  return row;
}
