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
  /** How long the engine without a model takes for an analysis, ms. */
  readonly localMs: number;
  /** A service that speaks OpenAI's chat completions; undefined: there is none. */
  readonly ai: AiConfig | undefined;
  readonly limits: SpendConfig;
  readonly lessons: LessonConfig;
  /** Whether this process takes part in the maintenance of the cache. */
  readonly schedule: boolean;
  /** Keep the lists of the timetable in the database, too: for measuring it. */
  readonly persistTimetable: boolean;
  /** Empty the platform's own tables and load them again. */
  readonly reload: boolean;
}

export interface AiConfig {
  /** Up to `/chat/completions`, without it. */
  readonly url: string;
  readonly key: string;
  readonly model: string;
  readonly timeoutMs: number;
  /** US dollars for a million tokens; absent: tokens are counted, and no money. */
  readonly price: { readonly inputPerMillion: number; readonly outputPerMillion: number } | undefined;
}

/** What analyses may spend in a day (UTC). */
export interface SpendConfig {
  /** US dollars, for all of them. */
  readonly money: number;
  /** Tokens, for those of one student. */
  readonly studentTokens: number;
}

const MAX_COHORT = 200_000;
/** Who waits for another's analysis waits for two minutes at most. */
const MAX_ENGINE_MS = 110_000;
export interface LessonConfig {
  /** How long the writer without a model takes for a lesson, ms. */
  readonly writerMs: number;
  /** What new ones may cost in a day (UTC), all together, in hundredths of a US dollar. */
  readonly dailyCents: number;
  /** How long a reader waits for one that is being written, ms. */
  readonly patienceMs: number;
}

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
  const amount = (name: string, fallback: number | undefined): number | undefined => {
    const given = text(name);
    if (given === undefined) return fallback;
    const value = Number(given);
    if (!(value >= 0 && value <= 1_000_000))
      throw new Error(`${name} must be a number from 0 to a million, not "${given}".`);
    return value;
  };
  const ai = (): AiConfig | undefined => {
    const [url, key, model] = [text('AI_URL'), text('AI_KEY'), text('AI_MODEL')];
    if (url === undefined && key === undefined) return undefined;
    if (url === undefined || key === undefined || model === undefined)
      throw new Error('AI_URL, AI_KEY and AI_MODEL belong together: one of them is missing.');
    const [inputPerMillion, outputPerMillion] = [
      amount('AI_PRICE_INPUT', undefined),
      amount('AI_PRICE_OUTPUT', undefined),
    ];
    if ((inputPerMillion === undefined) !== (outputPerMillion === undefined))
      throw new Error('AI_PRICE_INPUT and AI_PRICE_OUTPUT belong together: one of them is missing.');
    return {
      url: serviceUrl(url),
      key: headerValue(key),
      model,
      timeoutMs: integer('AI_TIMEOUT_MS', 90_000, 100, MAX_ENGINE_MS),
      price:
        inputPerMillion === undefined || outputPerMillion === undefined
          ? undefined
          : { inputPerMillion, outputPerMillion },
    };
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
    localMs: integer('LOCAL_AI_MS', 3000, 0, MAX_ENGINE_MS),
    ai: ai(),
    limits: {
      money: amount('AI_DAILY_MONEY', 5) ?? 5,
      studentTokens: integer('AI_DAILY_STUDENT_TOKENS', 60_000, 0, 1_000_000_000),
    },
    lessons: {
      writerMs: integer('LESSON_MS', 3000, 0, MAX_WRITER_MS),
      dailyCents: integer('LESSON_DAILY_CENTS', 200, 0, 1_000_000),
      patienceMs: integer('LESSON_PATIENCE_MS', 120_000, 10, 600_000),
    },
    schedule: !['0', 'false', 'no', 'off'].includes(text('SCHEDULE') ?? ''),
    persistTimetable: false,
    reload: ['1', 'true', 'yes'].includes(text('RELOAD_DATA') ?? ''),
  };
}

function serviceUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  // Named without its value: it may hold a password.
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw new Error('AI_URL must be an http or https address without user, query or fragment.');
  return url.href.replace(/\/+$/, '');
}

/** Anything else cannot be sent, and the error about it would show the key. */
function headerValue(key: string): string {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Error('AI_KEY must be printable ASCII without spaces.');
  return key;
}
