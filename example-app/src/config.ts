// What the environment says, checked once at start.
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export interface Config {
  /** 0 asks the system for a free port. */
  readonly port: number;
  readonly production: boolean;
  readonly logLevel: string;
  /** PostgreSQL server to use; undefined starts an embedded one. */
  readonly databaseUrl: string | undefined;
  /** Schema that holds the platform's tables and nothing else. */
  readonly schema: string;
  /** Folder of the embedded server, shared by the processes of one machine. */
  readonly embeddedDir: string;
  /** Redis of the report cache; undefined keeps reports in this process's memory. */
  readonly redisUrl: string | undefined;
  /** Folder with the CSV files of the Open University data set; undefined generates a cohort. */
  readonly ouladDir: string | undefined;
  readonly cohortStudents: number;
  readonly cohortSeed: number;
  readonly lessons: LessonConfig;
  /** Empty the platform's own tables and load them again. */
  readonly reload: boolean;
}

export interface LessonConfig {
  /** How long the writer without a model takes for a lesson, ms. */
  readonly writerMs: number;
  /** What new ones may cost in a day (UTC), all together, in hundredths of a US dollar. */
  readonly dailyCents: number;
  /** How long a reader waits for one that is being written, ms. */
  readonly patienceMs: number;
}

const MAX_COHORT = 200_000;
const MAX_WRITER_MS = 90_000;

export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const text = (name: string): string | undefined => env[name]?.trim() || undefined;
  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const given = text(name);
    if (given === undefined) return fallback;
    const value = Number(given);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new Error(`${name} must be an integer from ${min} to ${max}, not "${given}".`);
    return value;
  };
  const schema = text('DATABASE_SCHEMA') ?? 'report_cache_example';
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new Error(`DATABASE_SCHEMA must be lower-case letters, digits and _, not "${schema}".`);
  return {
    port: integer('PORT', 3000, 0, 65_535),
    production: env['NODE_ENV'] === 'production',
    logLevel: text('LOG_LEVEL') ?? 'info',
    databaseUrl: text('DATABASE_URL'),
    schema,
    embeddedDir: text('EMBEDDED_DIR') ?? join(tmpdir(), `report-cache-example-${userInfo().uid}`),
    redisUrl: text('REDIS_URL'),
    ouladDir: text('OULAD_DIR'),
    cohortStudents: integer('COHORT_STUDENTS', 1200, 24, MAX_COHORT),
    cohortSeed: integer('COHORT_SEED', 2013, 0, 4_294_967_295),
    lessons: {
      writerMs: integer('LESSON_MS', 3000, 0, MAX_WRITER_MS),
      dailyCents: integer('LESSON_DAILY_CENTS', 200, 0, 1_000_000),
      patienceMs: integer('LESSON_PATIENCE_MS', 120_000, 10, 600_000),
    },
    reload: ['1', 'true', 'yes'].includes(text('RELOAD_DATA') ?? ''),
  };
}
