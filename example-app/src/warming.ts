// Whose reports are made ready ahead: pairs of a reader and a report, page by page from the database, of those who may see them.
import type { DataSource } from 'typeorm';
import type { Access, Reader } from './access.js';
import { identityOf, type WarmLists, type WarmTarget } from './cache.js';

/** One reader, and what he would open. */
export interface Pair {
  readonly report: string | number;
  readonly viewer: number;
  readonly role: Reader['role'];
}

const PAGE = 500;

/** The data are of the past, so a presentation runs if it had not ended when the latest began. */
export const RUNNING = `p.starts_on + p.length_days > (SELECT max(starts_on) FROM module_presentations)`;

const PROGRESS = `
SELECT r.student AS report, u.id AS viewer, u.role
  FROM (SELECT id AS student, id AS viewer FROM users WHERE role = 'student'
        UNION ALL SELECT student_id, parent_id FROM parent_links
        UNION ALL SELECT student_id, tutor_id FROM tutor_assignments) AS r
  JOIN users u ON u.id = r.viewer`;

const OWN_PROGRESS = `
SELECT DISTINCT e.student_id AS report, e.student_id AS viewer, 'student' AS role
  FROM enrolments e JOIN module_presentations p ON p.code = e.presentation_code
 WHERE e.unregistered_day IS NULL AND ${RUNNING}`;

const GRADES = `
SELECT p.code AS report, p.teacher_id AS viewer, u.role
  FROM module_presentations p JOIN users u ON u.id = p.teacher_id`;

/** What the database has of these, each page beginning behind the last, and no further than somebody reads. */
export async function* inPages(
  dataSource: Pick<DataSource, 'query'>,
  sql: string,
  parameters: readonly unknown[] = [],
  size = PAGE,
): AsyncGenerator<Pair> {
  const at = parameters.length;
  for (let last: Pair | undefined; ;) {
    const behind = last === undefined ? '' : `WHERE (report, viewer) > ($${at + 1}, $${at + 2})`;
    const page: Pair[] = await dataSource.query(
      `SELECT * FROM (${sql}) AS pairs ${behind} ORDER BY report, viewer LIMIT ${size}`,
      last === undefined ? [...parameters] : [...parameters, last.report, last.viewer],
    );
    yield* page;
    if (page.length < size) return;
    last = page.at(-1);
  }
}

/** As the routes ask it of each reader: nothing is made ready for somebody who may not see it. */
async function* whoMay(
  may: (reader: Reader, report: Pair['report']) => Promise<boolean>,
  pairs: AsyncIterable<Pair>,
): AsyncGenerator<WarmTarget> {
  for await (const { report, viewer: id, role } of pairs)
    if (await may({ id, role }, report)) yield { report, identity: identityOf({ id, role }) };
}

/** Of another text no user has an id. */
const isId = (text: string): boolean => /^[1-9]\d{0,8}$/.test(text);

async function* none(): AsyncGenerator<WarmTarget> {}

/** Progress reports: at the start of the day each student's own. */
export function progressReaders(dataSource: DataSource, access: Access): WarmLists {
  const allowed = (sql: string, parameters?: readonly unknown[]) =>
    whoMay((reader, report) => access.student(reader, Number(report)), inPages(dataSource, sql, parameters));
  return {
    all: () => allowed(OWN_PROGRESS),
    user: (user) => (isId(user) ? allowed(`${PROGRESS} WHERE r.viewer = $1`, [user]) : none()),
    report: (student) => (isId(student) ? allowed(`${PROGRESS} WHERE r.student = $1`, [student]) : none()),
  };
}

/** Grade distributions: each presentation's teacher. */
export function gradesReaders(dataSource: DataSource, access: Access): WarmLists {
  const allowed = (where: string, parameters?: readonly unknown[]) =>
    whoMay(
      (reader, report) => access.presentation(reader, String(report)),
      inPages(dataSource, `${GRADES} WHERE ${where}`, parameters),
    );
  return {
    all: () => allowed(RUNNING),
    user: (user) => (isId(user) ? allowed('p.teacher_id = $1', [user]) : none()),
    report: (code) => allowed('p.code = $1', [code]),
  };
}
