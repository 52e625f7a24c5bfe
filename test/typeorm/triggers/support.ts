// A database with an outbox and generated triggers, and what its statements wrote there.
import { jest } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { parseRules, type CascadeOptions, type EntityLike, type Rule } from '../../../src/typeorm/cascade-rule.js';
import { outboxMigrations, type MigrationRunner } from '../../../src/outbox/migrations.js';
import { triggersOf, type Triggers } from '../../../src/typeorm/triggers/triggers.js';
import type { DataSourceLike } from '../../../src/typeorm/typeorm-like.js';
import { newDatabase } from '../support/school.js';
import { Course, entities, Enrolment, Grade, Remark, Student, Submission, Topic } from '../support/entities.js';

// Databases are made and dropped here, which takes its time on a busy machine.
jest.setTimeout(30_000);

export const NAMESPACE = 'school';

export const rule = (entity: EntityLike<unknown>, given: unknown, options?: CascadeOptions): Rule[] =>
  parseRules(entity, given, options);

/** The rules of the school, all of them paths. */
export const SCHOOL_RULES: readonly Rule[] = [
  ...rule(Grade, { student: 'student.id', tutor: 'student.tutor', parent: 'student.parents', course: 'courseCode' }),
  ...rule(Submission, { student: 'studentId', parent: 'student.parents' }),
  ...rule(Remark, { student: 'student' }),
  ...rule(Student, { student: 'id', parent: 'parents', tutor: 'tutor', work: 'submissions' }),
  ...rule(Enrolment, { student: 'studentId', course: 'courseCode' }),
  ...rule(Topic, { topic: 'id' }),
  ...rule(Course, { course: 'code' }),
];

export interface Outbox {
  readonly dataSource: DataSource;
  readonly triggers: Triggers;
  readonly url: string;
  /** The rows that `write` left behind, as sorted lists of tags; they are taken away. */
  rowsOf(write: string | (() => Promise<unknown>)): Promise<string[][]>;
  /** All their tags. */
  tagsOf(write: string | (() => Promise<unknown>)): Promise<string[]>;
  /** Tags that are told for some time, whatever the writer tells. */
  lateTagsOf(write: string | (() => Promise<unknown>)): Promise<string[]>;
  close(): Promise<void>;
}

export async function makeOutbox(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  for (const Migration of outboxMigrations) await new Migration().up(runner as unknown as MigrationRunner);
  await runner.release();
}

export async function openOutbox(
  name: string,
  {
    rules = SCHOOL_RULES,
    before = [],
    after = [],
    ownTables = [],
    ...options
  }: Partial<DataSourceOptions> & {
    rules?: readonly Rule[];
    /** Statements before the tables are made, and after. */
    before?: readonly string[];
    after?: readonly string[];
    ownTables?: readonly string[];
  } = {},
): Promise<Outbox> {
  const { url, drop } = await newDatabase(`triggers_${name}`);
  const dataSource = new DataSource({ type: 'postgres', url, entities, ...options } as DataSourceOptions);
  await dataSource.initialize();
  for (const statement of before) await dataSource.query(statement);
  await dataSource.synchronize();
  for (const statement of after) await dataSource.query(statement);
  await makeOutbox(dataSource);
  const triggers = triggersOf(
    dataSource as unknown as DataSourceLike,
    rules,
    NAMESPACE,
    ownTables,
    () => 1700000000000,
  );
  await triggers.install();
  const written = async (write: string | (() => Promise<unknown>), late: boolean): Promise<string[][]> => {
    await dataSource.query('DELETE FROM report_cache_outbox');
    await (typeof write === 'string' ? dataSource.query(write) : write());
    const rows: { tags: string }[] = await dataSource.query(
      `SELECT tags FROM report_cache_outbox WHERE source = $1 AND intent = $2 ORDER BY id`,
      [late ? 'trigger-late' : 'trigger', late],
    );
    return rows.map(({ tags }) => tags.split(' ').sort());
  };
  const flat = (rows: string[][]): string[] => [...new Set(rows.flat())].sort();
  return {
    dataSource,
    triggers,
    url,
    rowsOf: (write) => written(write, false),
    tagsOf: async (write) => flat(await written(write, false)),
    lateTagsOf: async (write) => flat(await written(write, true)),
    async close() {
      if (dataSource.isInitialized) await dataSource.destroy();
      await drop();
    },
  };
}

/** Two families, as in the other tests: student, parent, tutor, course and their work are called 1 and 2. */
export async function seed({ dataSource }: Outbox): Promise<void> {
  const tables = dataSource.entityMetadatas.map((one) => `"${one.tableName}"`).join(', ');
  await dataSource.query(`TRUNCATE ${tables} RESTART IDENTITY CASCADE`);
  await dataSource.query(`
    INSERT INTO tutor (name) VALUES ('t1'), ('t2');
    INSERT INTO parent (name) VALUES ('p1'), ('p2');
    INSERT INTO student (name, "tutorId") VALUES ('s1', 1), ('s2', 2);
    INSERT INTO student_parents_parent VALUES (1, 1), (2, 2);
    INSERT INTO course (code, title) VALUES ('c1', 'one'), ('c2', 'two');
    INSERT INTO grade (score, "studentId", "courseCode") VALUES (1, 1, 'c1'), (2, 2, 'c2');
    INSERT INTO submission (text, "studentId") VALUES ('w1', 1), ('w2', 2);
    INSERT INTO remark (text, "studentId") VALUES ('r1', 1), ('r2', 2);
    INSERT INTO enrolment ("studentId", "courseCode") VALUES (1, 'c1'), (2, 'c2')`);
}
