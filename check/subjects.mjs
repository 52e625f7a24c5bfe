// The data and the submissions that are graded: their score is their version, 0 before the first grade.
import { pino } from 'pino';
import { example } from './library.mjs';

/** Scores end at 100 and are rounded to a tenth in sums, so a tenth is one version. */
export const LAST_VERSION = 1000;
const POOL = 96;
const FEWEST = 8;

/**
 * @typedef {object} Subject
 * @property {number} index
 * @property {number} student
 * @property {number} assessment
 * @property {string} code presentation
 * @property {string} type of the assessment
 * @property {number} teacher
 * @property {number} tutor
 * @property {number} parent
 */

// Neighbours in the register share their tutor, so that an overview shows several submissions.
const CHOOSE = `
WITH candidates AS (
  SELECT DISTINCT ON (s.student_id) s.student_id AS student, s.assessment_id AS assessment, a.presentation_code AS code,
         a.type, p.teacher_id AS teacher, t.tutor_id AS tutor, l.parent_id AS parent
    FROM submissions s
    JOIN assessments a ON a.id = s.assessment_id
    JOIN module_presentations p ON p.code = a.presentation_code
    JOIN enrolments e ON e.student_id = s.student_id AND e.presentation_code = a.presentation_code
    JOIN tutor_assignments t ON t.student_id = s.student_id
    JOIN parent_links l ON l.student_id = s.student_id
   ORDER BY s.student_id, s.assessment_id
)
SELECT * FROM candidates ORDER BY md5(tutor::text), student LIMIT ${POOL}`;

// All other work of the student on the presentation waits for its grade, so that every mean is the score itself.
const CLEAR = `
UPDATE submissions s SET score = CASE WHEN s.assessment_id = c.assessment THEN 0 END
  FROM unnest($1::int[], $2::int[], $3::text[]) AS c(student, assessment, code), assessments a
 WHERE s.student_id = c.student AND a.id = s.assessment_id AND a.presentation_code = c.code`;

/**
 * Loads the data into the database of the run, before any server is there.
 * @param {NodeJS.ProcessEnv} env
 */
export async function openSubjects(env) {
  const config = example.loadConfig(env);
  const dataSource = example.createDataSource(config.databaseUrl, config.schema);
  await dataSource.initialize();
  try {
    const { loaded } = await example.prepareData(dataSource, config, pino({ level: 'silent' }));
    /** @type {Omit<Subject, 'index'>[]} */
    const rows = await dataSource.query(CHOOSE);
    if (rows.length < FEWEST) throw new Error(`Only ${rows.length} students have work, a tutor and a parent.`);
    /** @type {readonly Subject[]} */
    const subjects = rows.map((row, index) => ({ ...row, index }));
    const columns = [rows.map((one) => one.student), rows.map((one) => one.assessment), rows.map((one) => one.code)];
    return {
      /** @type {string} */
      source: loaded.source,
      subjects,
      /** Every subject is at version 0 again. Only while no server runs: no cache hears of it. */
      reset: () => dataSource.query(CLEAR, columns),
      close: () => dataSource.destroy(),
    };
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}
