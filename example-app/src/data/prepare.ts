// Makes the schema and loads it once, however many processes start at the same time.
import type { DataSource } from 'typeorm';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { LoadedData } from '../entities/index.js';
import { cohortSource, generateCohort } from './cohort.js';
import type { Dataset } from './dataset.js';
import { loadDataset, TABLES } from './load.js';
import { loadTimetable, TIMETABLE_TABLES } from './load-timetable.js';
import { OULAD_SOURCE, readOulad } from './oulad.js';

/** Any constant works, as long as every process of the platform takes the same one. */
const LOCK = 7_311_014;

export interface Prepared {
  readonly loaded: LoadedData;
  /** True where this process has just filled the tables: reports cached earlier are about other data. */
  readonly fresh: boolean;
}

function readSource(config: Config): Promise<Dataset> | Dataset {
  return config.ouladDir === undefined
    ? generateCohort(config.cohortStudents, config.cohortSeed)
    : readOulad(config.ouladDir);
}

async function tablesOf(dataSource: DataSource, schema: string): Promise<string[]> {
  const rows: { name: string }[] = await dataSource.query(
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1',
    [schema],
  );
  return rows.map((row) => row.name);
}

/** Without statistics the first reports would be planned for empty tables. */
async function analyse(dataSource: DataSource, schema: string, tables: readonly string[]): Promise<void> {
  for (const table of tables) await dataSource.query(`ANALYZE "${schema}"."${table}"`);
}

/** The lock is held by a connection of its own, because synchronize() and the load each take another. */
async function underLock<T>(dataSource: DataSource, schema: string, work: () => Promise<T>): Promise<T> {
  const holder = dataSource.createQueryRunner();
  try {
    await holder.query('SELECT pg_advisory_lock($1, hashtext($2))', [LOCK, schema]);
    try {
      return await work();
    } finally {
      await holder.query('SELECT pg_advisory_unlock($1, hashtext($2))', [LOCK, schema]);
    }
  } finally {
    await holder.release();
  }
}

export function prepareData(dataSource: DataSource, config: Config, logger: Logger): Promise<Prepared> {
  const { schema } = config;
  return underLock(dataSource, schema, async () => {
    const present = await tablesOf(dataSource, schema);
    if (present.length > 0 && !present.includes('loaded_data'))
      throw new Error(
        `The schema "${schema}" holds tables of someone else. Set DATABASE_SCHEMA to a schema of our own.`,
      );
    const repository = dataSource.getRepository(LoadedData);
    if (present.length === 0) await dataSource.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
    // Data that an earlier release has loaded is without the timetable, or without the uses of results.
    const timetable = present.includes('organizations');
    if (!timetable || !present.includes('result_uses')) await dataSource.synchronize();
    await dataSource.runMigrations();
    const before = await repository.findOneBy({ id: 1 });
    if (before !== null && !config.reload) {
      const wanted =
        config.ouladDir === undefined ? cohortSource(config.cohortStudents, config.cohortSeed) : OULAD_SOURCE;
      if (before.source === wanted) logger.info({ source: before.source, schema }, 'data is already loaded');
      else
        logger.warn(
          { source: before.source, wanted, schema },
          'other data is already loaded; RELOAD_DATA=1 replaces it',
        );
      if (!timetable) {
        await dataSource.transaction(loadTimetable);
        await analyse(dataSource, schema, TIMETABLE_TABLES);
      }
      return { loaded: before, fresh: false };
    }

    const started = performance.now();
    const data = await readSource(config);
    const read = performance.now();
    const tables = [...TABLES, ...TIMETABLE_TABLES, 'result_uses'];
    await dataSource.transaction(async (manager) => {
      await manager.query(`TRUNCATE ${tables.map((table) => `"${schema}"."${table}"`).join(', ')} RESTART IDENTITY`);
      await loadDataset(manager, data);
      await loadTimetable(manager);
    });
    await analyse(dataSource, schema, tables);
    const loaded = await repository.findOneByOrFail({ id: 1 });
    logger.info(
      {
        source: loaded.source,
        students: loaded.students,
        submissions: loaded.submissions,
        readMs: Math.round(read - started),
        loadMs: Math.round(performance.now() - read),
      },
      'data loaded',
    );
    return { loaded, fresh: true };
  });
}
