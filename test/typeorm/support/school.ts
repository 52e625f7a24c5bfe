// A school in a database of its own, with the plugin connected and two families to tell apart.
import { DataSource, type DataSourceOptions } from 'typeorm';
import { tag } from '../../../src/entry/tags.js';
import { TypeormPlugin, type TypeormPluginOptions } from '../../../src/typeorm/plugin.js';
import { Course, entities, Enrolment, Grade, Parent, Remark, Student, Submission, Topic, Tutor } from './entities.js';
import { Recorder } from './recorder.js';

export const SERVER = process.env['DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';

export async function administer(...statements: string[]): Promise<void> {
  const server = await new DataSource({ type: 'postgres', url: SERVER }).initialize();
  for (const statement of statements) await server.query(statement);
  await server.destroy();
}

/** The URL of a new database; `drop` removes it with whoever is still connected. */
export async function newDatabase(name: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const database = `erc_typeorm_${name}_${process.pid}`;
  await administer(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`, `CREATE DATABASE ${database}`);
  const url = new URL(SERVER);
  url.pathname = `/${database}`;
  return { url: url.href, drop: () => administer(`DROP DATABASE ${database} WITH (FORCE)`) };
}

/** The rules that most tests use; the tags of family 1 never contain those of family 2. */
export function schoolRules(plugin: TypeormPlugin): TypeormPlugin {
  return plugin
    .cascade(Grade, { student: 'student.id', tutor: 'student.tutor', parent: 'student.parents', course: 'courseCode' })
    .cascade(Submission, { student: 'studentId', parent: 'student.parents' })
    .cascade(Remark, { student: 'student' })
    .cascade(Student, { student: 'id', parent: 'parents', tutor: 'tutor' })
    .cascade(Enrolment, { student: 'studentId', course: 'courseCode' })
    .cascade(Topic, { topic: 'id' })
    .cascade(Course, (course) => [tag('course', course.code ?? '')], { kinds: ['course'] });
}

export interface School {
  readonly dataSource: DataSource;
  readonly plugin: TypeormPlugin;
  readonly recorder: Recorder;
  readonly url: string;
  /** Two families: student 1 with parent 1 and tutor 1, student 2 with parent 2 and tutor 2, and their work. */
  seed(): Promise<void>;
  close(): Promise<void>;
}

export async function openSchool(
  name: string,
  {
    rules = schoolRules,
    options = {},
    plugin: more = {},
  }: {
    rules?: (plugin: TypeormPlugin) => unknown;
    options?: Partial<DataSourceOptions>;
    plugin?: Partial<TypeormPluginOptions>;
  } = {},
): Promise<School> {
  const { url, drop } = await newDatabase(name);
  const dataSource = new DataSource({ type: 'postgres', url, entities, ...options } as DataSourceOptions);
  await dataSource.initialize();
  await dataSource.synchronize();
  const recorder = new Recorder();
  const plugin = new TypeormPlugin({
    invalidator: recorder,
    transactions: recorder,
    emit: recorder.emit,
    clock: recorder.clock,
    ...more,
  });
  rules(plugin);
  await plugin.connect(dataSource);
  return {
    dataSource,
    plugin,
    recorder,
    url,
    async seed() {
      const tables = dataSource.entityMetadatas.map((one) => `"${one.tableName}"`).join(', ');
      await dataSource.query(`TRUNCATE ${tables} RESTART IDENTITY CASCADE`);
      const { manager } = dataSource;
      for (const n of [1, 2]) {
        const tutor = await manager.save(Tutor, { name: `tutor ${n}` });
        const parent = await manager.save(Parent, { name: `parent ${n}` });
        const student = await manager.save(Student, { name: `student ${n}`, tutor, parents: [parent] });
        const course = await manager.save(Course, { code: `c${n}`, title: `course ${n}` });
        await manager.save(Grade, { score: n, student, course });
        await manager.save(Submission, { text: `s${n}`, student });
        await manager.save(Remark, { text: `r${n}`, student });
        await manager.save(Enrolment, { studentId: n, courseCode: `c${n}` });
      }
      recorder.reset();
    },
    async close() {
      if (dataSource.isInitialized) await dataSource.destroy();
      await drop();
    },
  };
}
