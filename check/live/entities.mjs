// The tables of the live check, as entities and as what its driver does to them: make, read the truth, drop.
import { EntitySchema } from 'typeorm';
import { outboxMigrations, parseRules, triggersOf } from './library.mjs';
import { CLASSES, firstPlaceOf, GRADES, idOf, ROWS, rowOfStudent } from './world.mjs';

/** @typedef {import('typeorm').EntitySchema<any>} Schema */
/** @typedef {import('typeorm').EntitySchemaOptions<any>} Options */

/** @type {Schema} */
export const Class = new EntitySchema({ name: 'Class', columns: { id: { type: 'integer', primary: true } } });

/** @type {Schema} */
export const Student = new EntitySchema(
  /** @type {Options} */ ({
    name: 'Student',
    columns: {
      id: { type: 'integer', primary: true },
      version: { type: 'integer' },
      classId: { type: 'integer' },
    },
    relations: { class: { type: 'many-to-one', target: 'Class', joinColumn: { name: 'classId' } } },
    indices: [{ columns: ['classId'] }],
  }),
);

/** @type {Schema} */
export const Grade = new EntitySchema(
  /** @type {Options} */ ({
    name: 'Grade',
    columns: {
      id: { type: 'integer', primary: true },
      version: { type: 'integer' },
      studentId: { type: 'integer' },
    },
    relations: {
      student: { type: 'many-to-one', target: 'Student', joinColumn: { name: 'studentId' }, onDelete: 'CASCADE' },
    },
    indices: [{ columns: ['studentId'] }],
  }),
);

/**
 * What a change of a row means for the reports, given to the cache of every process.
 * @type {readonly { entity: Schema, paths: Record<string, string> }[]}
 */
export const CASCADE = [
  { entity: Grade, paths: { grade: 'id', student: 'studentId', class: 'student.classId' } },
  { entity: Student, paths: { student: 'id', class: 'classId' } },
];

/**
 * @param {string} url
 * @param {string} schema
 * @param {string} name for pg_stat_activity
 * @param {number} pool
 * @returns {import('typeorm').DataSourceOptions}
 */
export const dataSourceOptions = (url, schema, name, pool) => ({
  type: 'postgres',
  url,
  schema,
  applicationName: name,
  entities: [Class, Student, Grade],
  // What raw SQL names without a schema is found there too.
  extra: { max: pool, options: `-c search_path=${schema}`, connectionTimeoutMillis: 60_000, query_timeout: 60_000 },
  logging: false,
});

// A statement that was held up somewhere and arrives after its writer was given up must not undo what came later.
const NEVER_BACK = `
CREATE FUNCTION "$schema".never_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.version < OLD.version THEN RAISE EXCEPTION 'version % came too late', NEW.version; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER never_back BEFORE UPDATE ON "$schema".grade FOR EACH ROW EXECUTE FUNCTION "$schema".never_back();
CREATE TRIGGER never_back BEFORE UPDATE ON "$schema".student FOR EACH ROW EXECUTE FUNCTION "$schema".never_back();`;

/**
 * @param {import('typeorm').DataSource} dataSource @param {string} schema
 * @param {boolean} durable with the tables of the outbox
 */
export async function makeTables(dataSource, schema, durable) {
  await dataSource.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await dataSource.query(`CREATE SCHEMA "${schema}"`);
  await dataSource.synchronize();
  await dataSource.query(NEVER_BACK.replaceAll('$schema', schema));
  if (!durable) return;
  const runner = dataSource.createQueryRunner();
  for (const Migration of outboxMigrations) await new Migration().up(/** @type {any} */ (runner));
  await runner.release();
}

/**
 * Triggers that tell of writes past the application.
 * @param {import('typeorm').DataSource} dataSource @param {string} namespace
 */
export async function installTriggers(dataSource, namespace) {
  const rules = CASCADE.flatMap(({ entity, paths }) => parseRules(entity, paths, undefined));
  await triggersOf(/** @type {any} */ (dataSource), rules, namespace, [], () => Date.now()).install();
}

/** Every row in its first place, at version 0. @param {import('typeorm').DataSource} dataSource */
export async function fill(dataSource) {
  await dataSource.query('DELETE FROM grade');
  await dataSource.query('DELETE FROM student');
  await dataSource.query('DELETE FROM class');
  const rows = Array.from({ length: ROWS }, (_, row) => ({ id: idOf(row), version: 0, place: firstPlaceOf(row) + 1 }));
  await dataSource.getRepository(Class).insert(Array.from({ length: CLASSES }, (_, at) => ({ id: at + 1 })));
  const students = rows.slice(GRADES).map(({ place, ...row }) => ({ ...row, classId: place }));
  await dataSource.getRepository(Student).insert(students);
  const grades = rows.slice(0, GRADES).map(({ place, ...row }) => ({ ...row, studentId: place }));
  await dataSource.getRepository(Grade).insert(grades);
}

/**
 * What is really there. With a lock, so that a write whose writer was given up has ended one way or the other.
 * @param {{ query(sql: string, values: unknown[]): Promise<{ rows: { id: number, version: number, place: number }[] }> }} client
 * @param {readonly number[]} rows
 */
export async function readTruth(client, rows) {
  const grades = rows.filter((row) => row < GRADES);
  const students = rows.filter((row) => row >= GRADES);
  const read = async (
    /** @type {string} */ table,
    /** @type {string} */ place,
    /** @type {readonly number[]} */ ids,
  ) =>
    ids.length === 0
      ? []
      : (
          await client.query(
            `SELECT id, version, "${place}" AS place FROM ${table} WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`,
            [ids.map(idOf)],
          )
        ).rows;
  /** @type {Map<number, { version: number, place: number }>} */
  const truth = new Map();
  for (const { id, version, place } of await read('student', 'classId', students))
    truth.set(rowOfStudent(id - 1), { version, place: place - 1 });
  for (const { id, version, place } of await read('grade', 'studentId', grades))
    truth.set(id - 1, { version, place: place - 1 });
  return truth;
}
