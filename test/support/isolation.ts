// The addresses of the run's servers, and names that no other test uses on them.

let counter = 0;

/** Redis of this run. Shared: stay inside {@link ownNamespace}; to flush, stop or restart one, start a private one. */
export function redisUrl(): string {
  return fromRun('REDIS_URL');
}

/** A database that belongs to this run. Shared by its files: stay inside {@link ownSchema}. */
export function databaseUrl(): string {
  return fromRun('DATABASE_URL');
}

/** A key and channel prefix of one's own; what is left under it is removed after the run. */
export function ownNamespace(): string {
  return `${fromRun('TEST_NAMESPACE')}-${unique()}`;
}

/** A schema name of one's own: create it before, drop it (CASCADE) after. */
export function ownSchema(): string {
  return `s_${unique().replaceAll('-', '_')}`;
}

/** Files of the same worker run one after the other, but what an earlier one left behind must not be met again. */
function unique(): string {
  return `${process.env['JEST_WORKER_ID'] ?? '0'}-${process.hrtime.bigint().toString(36)}-${++counter}`;
}

function fromRun(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing: run with jest.config.mjs, whose globalSetup provides the servers.`);
  return value;
}
