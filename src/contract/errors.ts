// Every error this library throws: one table of codes, each with its message and what to do next.

/** Advice by code. `README.md` lists the same codes; a test keeps the two equal. */
export const ERROR_ADVICE = {
  ERC_OPTION: 'Correct the option named in the message; nothing was changed.',
  ERC_IDENTIFY_REQUIRED:
    'Pass `identify: (req) => req.user && { user: req.user.id }`. A report cache without identity would show one user the report of another.',
  ERC_TYPE_UNKNOWN: 'Declare the report type under `types`, or use one of the built-in types.',
  ERC_FILTER: 'Declare the filter with one of the documented kinds.',
  ERC_FILTER_VALUE: 'Use plain data (string, number, boolean, bigint, Date, array, object) for filters.',
  ERC_TAG:
    'Build tags with tag(kind, id): a kind is letters, digits, - and _; an id is a non-empty string or a number.',
  ERC_PATTERN: 'Use report:<report>:*, <kind>:<id>:*, <type>:* or *; see "Patterns" in the README.',
  ERC_VALUE: 'Return plain data from the loader, or give the cache a codec for this value.',
  ERC_CASCADE: 'Name an existing relation path or column of the entity in the cascade rule.',
  ERC_DATA_SOURCE: 'Call connect() with an initialised TypeORM DataSource.',
  ERC_OUTBOX: 'Run the `outboxMigrations` on a PostgreSQL, MySQL or MariaDB DataSource and give the cache a Redis.',
  ERC_VIEW:
    'Declare the view with its sources before routes name it, create it with a migration of yours, and run the `viewMigrations`.',
  ERC_RESOURCE:
    'Derive resources from declared ones, in no circle; name those that a loader reads in its `from`; give a semester with its organisation.',
  ERC_VERSIONS: 'Run the `versionMigrations` on a PostgreSQL, MySQL, MariaDB or sql.js DataSource, and connect() it.',
  ERC_VERSION: 'Name a version that list() shows; remove one where there are as many as `maxVersions` allows.',
  ERC_PERSIST: 'Run the `persistMigrations` on a PostgreSQL, MySQL, MariaDB or sql.js DataSource.',
  ERC_MARK: "Try the write again when Redis answers, or let it proceed with `onMarkError: 'proceed'`.",
  ERC_OVERLOADED: 'Try again in a moment; or raise `maxWaiting` or `maxComputing`.',
  ERC_SPEND: 'Try again tomorrow (UTC); or raise the limit in `costs.limits`.',
  ERC_TIMEOUT: 'Give the loader a longer `hardTimeout`, or a `grace` so that the value before is returned.',
  ERC_TASK_RUNNING: 'Wait until the run under way has ended; `status()` tells where it is.',
  ERC_REDIS: 'Pass an ioredis Redis or Cluster client (5.4+ or 6).',
} as const;

export type ErrorCode = keyof typeof ERROR_ADVICE;

/** What to tell of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Class and code, for what is not to be repeated: messages of databases show values. */
export function errorName(error: unknown): string {
  const name = error instanceof Error ? error.name : typeof error;
  const code = codeOf(error);
  return code === undefined ? name : `${name} ${code}`;
}

/** Its `code`, where it has one that is a text. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : undefined;
}

/**
 * The only error class of the library. Recognise it by `code`, not by `instanceof`: the ESM and the CJS build can
 * both be loaded in one process.
 */
export class ReportCacheError extends Error {
  override readonly name = 'ReportCacheError';
  readonly code: ErrorCode;
  /** What to do next. */
  readonly advice: string;
  /** What Express's own error handler answers with; absent: its 500. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; retryMs?: number; status?: number }) {
    super(`${code}: ${message} ${ERROR_ADVICE[code]}`, options);
    this.code = code;
    this.advice = ERROR_ADVICE[code];
    if (options?.status !== undefined) this.status = options.status;
    if (options?.retryMs !== undefined) {
      this.status = 429;
      this.headers = { 'Retry-After': String(Math.ceil(options.retryMs / 1000)) };
    }
  }
}
