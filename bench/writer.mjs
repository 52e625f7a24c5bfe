// One arm of the write benchmark in a process of its own: writes or invalidates when told, and says how long each took. Started by writes.mjs.
import { DataSource, EntitySchema } from 'typeorm';
import { Redis } from 'ioredis';
import { createReportCache, outboxMigrations, tag } from 'express-report-cache';
import { ARMS, PATHS, ROWS, TAGS } from './write-arms.mjs';

/** @type {{ arm: string, role: 'writer' | 'holder', namespace: string, schema: string, redisUrl: string, databaseUrl: string }} */
const job = JSON.parse(process.argv[2]);
const arm = ARMS.find(({ name }) => name === job.arm);
const column = { type: 'integer' };
const Grade = new EntitySchema({
  name: 'Grade',
  tableName: 'grade',
  columns: {
    id: { type: 'integer', primary: true },
    score: column,
    ...Object.fromEntries(Object.values(PATHS).map((name) => [name, column])),
  },
});

/** Those of its writes: what triggers have written for the one before may be told once more. */
let invalidated = 0;
const reports = arm.cache === undefined ? undefined : openCache();
const dataSource = job.role === 'writer' ? await openDatabase() : undefined;
let version = 0;

process.on('message', (order) => {
  const done = order.do === 'exit' ? close() : perform(order).then((result) => process.send({ result }));
  done.catch((error) => process.send({ error: String(error?.stack ?? error) }));
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit());
if (job.role === 'holder') void hold();
process.send('ready');

function openCache() {
  const redis = new Redis(job.redisUrl);
  return createReportCache({
    identify: () => ({ user: 1 }),
    redis,
    namespace: job.namespace,
    ...arm.cache,
    onEvent(event) {
      if (event.kind === 'invalidate' && event.tags.length >= TAGS) invalidated += 1;
      if (event.kind === 'invalidateFailed' || event.kind === 'leaseAwaited') console.error(arm.name, event);
    },
  });
}

async function openDatabase() {
  const source = new DataSource({
    type: 'postgres',
    url: job.databaseUrl,
    schema: job.schema,
    entities: [Grade],
    migrations: outboxMigrations,
    poolSize: 16,
  });
  await source.initialize();
  await source.query(`CREATE SCHEMA "${job.schema}"`);
  await source.synchronize();
  if (arm.connect?.durable) await source.runMigrations();
  const rows = Array.from({ length: ROWS }, (_, id) => rowOf(id, 0));
  await source.getRepository(Grade).insert(rows);
  if (reports === undefined) return source;
  reports.cascade(Grade, PATHS);
  await reports.connect(source, arm.connect);
  if (arm.triggers) await reports.triggers(source).install();
  return source;
}

function rowOf(id, score) {
  return { id, score, studentId: 1000 + id, classId: id % 10, tutorId: id % 20, parentId: 2000 + id };
}

/** `count` of them, `concurrency` at a time. @returns ms of each, and of all. */
async function perform({ do: what, count, concurrency = 1 }) {
  const before = invalidated;
  const step = { save, insert, invalidate }[what];
  const latencies = [];
  let left = count;
  const begun = performance.now();
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const from = performance.now();
      await step();
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const elapsed = performance.now() - begun;
  if (reports !== undefined && invalidated - before !== count)
    throw new Error(`${arm.name}: ${count} writes, ${invalidated - before} invalidations of at least ${TAGS} tags`);
  return { latencies, elapsed };
}

function save() {
  version += 1;
  const row = rowOf(version % ROWS, version);
  return dataSource.transaction((manager) => manager.save(Grade, row));
}

function insert() {
  version += 1;
  const row = rowOf(ROWS + version, version);
  return dataSource.transaction((manager) => manager.insert(Grade, row));
}

function invalidate() {
  version += 1;
  return reports.invalidate(Array.from({ length: TAGS }, (_, index) => tag('student', (version + index) % 1000)));
}

/** Reads without end, so that there is always a lease that writers wait for. */
async function hold() {
  for (;;) {
    const request = { type: 'custom', report: 'r', identity: { user: 1 }, tags: [tag('student', 'nobody')] };
    await reports.getOrLoad(request, async () => 'computed');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function close() {
  if (arm.connect?.durable) await drained();
  await reports?.close();
  await dataSource?.destroy();
  process.exit();
}

/** What writers leave behind is deleted in the background: none of it may stay. */
async function drained() {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const [{ count }] = await dataSource.query(
      `SELECT count(*)::int AS count FROM "${job.schema}".report_cache_outbox`,
    );
    if (count === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${arm.name}: rows are left in the outbox`);
}
