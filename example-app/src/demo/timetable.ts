// Measures what an organisation's whole set costs: from the database, from Redis, and from memory. Prints medians.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { type Logger, pino } from 'pino';
import { createApp } from '../app.js';
import { createCaching, createReportCache } from '../cache.js';
import { type Config, loadConfig } from '../config.js';
import { UNIVERSITY } from '../data/campus.js';
import { type Platform, startPlatform } from '../platform.js';
import { createTimetable, type Timetable } from '../timetable/timetable.js';
import { patient } from './patient.js';
import { removeKeys } from './remove-keys.js';

const WARM_UP_ROUNDS = 3;
const ORGANIZATION = UNIVERSITY.id;
const PATH = `/api/organizations/${ORGANIZATION}/resources`;

interface Answer {
  readonly cache: string;
  readonly bytes: number;
  readonly etag: string;
}

/** One way of asking for the whole set. */
interface Way {
  readonly name: string;
  /** The same, of a platform without a cache. */
  readonly uncached: () => Promise<unknown>;
  readonly get: () => Promise<unknown>;
  /** The same, by who has it already; absent: nobody can. */
  readonly again?: () => Promise<unknown>;
  /** Resolves when what `get` has computed is stored. */
  readonly stored: () => Promise<unknown>;
}

const STATES = ['no cache', 'first (cold)', 'database (L3)', 'Redis (L2)', 'memory (L1)', 'unchanged (304)'] as const;
/** Milliseconds in each round. */
type Times = Readonly<Record<(typeof STATES)[number], number[]>>;

async function ask(url: string, etag?: string): Promise<Answer> {
  const headers = { authorization: 'Bearer demo-admin', ...(etag !== undefined && { 'if-none-match': etag }) };
  const sent = request(url + PATH, { headers });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  if (response.statusCode !== (etag === undefined ? 200 : 304))
    throw new Error(`${PATH} answered ${response.statusCode}.`);
  return { cache: String(response.headers['x-cache']), bytes, etag: String(response.headers.etag) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Redis, from which what is cached can be taken away. */
interface Shared {
  empty(): Promise<void>;
}

/** All states in turn, so that whatever else the machine does falls on each of them alike. */
async function rounds(
  { reports, timetable }: Platform,
  redis: Shared | undefined,
  count: number,
  way: Way,
): Promise<Times> {
  const times: Record<(typeof STATES)[number], number[]> = {
    'no cache': [],
    'first (cold)': [],
    'database (L3)': [],
    'Redis (L2)': [],
    'memory (L1)': [],
    'unchanged (304)': [],
  };
  for (let round = -WARM_UP_ROUNDS; round < count; round++) {
    await timetable.resources.invalidate({ organization: ORGANIZATION });
    const uncached = await timed(way.uncached);
    const cold = await timed(way.get);
    await way.stored();
    const memory = await timed(way.get);
    const unchanged = way.again === undefined ? Number.NaN : await timed(way.again);
    reports.evict();
    const shared = redis ? await timed(way.get) : Number.NaN;
    reports.evict();
    await redis?.empty();
    const kept = await timed(way.get);
    if (round < 0) continue;
    times['no cache'].push(uncached);
    times['first (cold)'].push(cold);
    times['database (L3)'].push(kept);
    times['Redis (L2)'].push(shared);
    times['memory (L1)'].push(memory);
    times['unchanged (304)'].push(unchanged);
  }
  return times;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return (at((sorted.length - 1) >> 1) + at(sorted.length >> 1)) / 2;
}

/** Factors are against the same application without a cache, not against the first answer, which also fills it. */
function line(name: string, times: Times): string {
  const base = median(times['no cache']);
  const cells = STATES.map((state) => {
    const ms = median(times[state]);
    if (Number.isNaN(ms)) return state === 'Redis (L2)' ? 'no REDIS_URL' : '–';
    return state === 'no cache' ? `${ms.toFixed(1)} ms` : `${ms.toFixed(1)} ms, ${(base / ms).toFixed(1)}×`;
  });
  return name.padEnd(20) + cells.map((cell) => cell.padStart(18)).join('');
}

async function measure(platform: Platform, bare: Bare, redis: Shared | undefined, count: number): Promise<string> {
  const loads = (): number =>
    Object.values(platform.timetable.loads(ORGANIZATION)).reduce((sum, one) => sum + one.loads, 0);
  const get = () => ask(platform.url);
  let etag = '';
  const stored = async (): Promise<void> => {
    for (let tries = 0; tries < 100; tries++) {
      const answer = await get();
      etag = answer.etag;
      if (answer.cache === 'HIT') return;
    }
    throw new Error(`${PATH} is never a HIT.`);
  };
  const whole = () => platform.timetable.whole(ORGANIZATION);
  const ways: Way[] = [
    { name: 'GET over HTTP', uncached: () => ask(bare.url), get, stored, again: () => ask(platform.url, etag) },
    { name: 'values in-process', uncached: () => bare.timetable.whole(ORGANIZATION), get: whole, stored: whole },
  ];
  const lines: string[] = [];
  for (const way of ways) {
    const before = loads();
    lines.push(line(way.name, await rounds(platform, redis, count, way)));
    // Seven resources once in each round: whatever was called a hit was one.
    const expected = (count + WARM_UP_ROUNDS) * Object.keys(await whole()).length;
    if (loads() - before !== expected) throw new Error(`${loads() - before} loads instead of ${expected}.`);
  }
  const sizes = Object.entries(await whole()).map(
    ([name, value]) => `${Array.isArray(value) ? value.length : 1} ${name}`,
  );
  const { bytes } = await get();
  return [
    `The whole set of an organization: ${sizes.join(', ')}`,
    `${(bytes / 1e6).toFixed(1)} MB of JSON; medians of ${count} rounds; load average ${loadavg()[0]?.toFixed(1)}`,
    '',
    ''.padEnd(20) + STATES.map((state) => state.padStart(18)).join(''),
    ...lines,
  ].join('\n');
}

interface Bare {
  readonly url: string;
  readonly timetable: Timetable;
  close(): Promise<void>;
}

/** The same routes and queries over the same database, with a cache that stores and serves nothing. */
async function startBare(platform: Platform, config: Config, logger: Logger): Promise<Bare> {
  const { reports, close } = createCaching({ ...config, redisUrl: undefined }, logger, (options) =>
    createReportCache({ ...options, alone: false }),
  );
  const { dataSource } = platform;
  const timetable = createTimetable(reports, dataSource);
  const server = createServer(createApp({ dataSource, reports, timetable, logger, production: false }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    timetable,
    async close() {
      server.close();
      server.closeAllConnections();
      await close();
    },
  };
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
// Names of its own: a platform that runs beside it keeps its data, and its cache.
const schema = `report_cache_demo_${process.pid}`;
const config = { ...loadConfig({ ...process.env, PORT: '0', COHORT_STUDENTS: '24' }), schema };
const logger = pino({ level: 'error' }, pino.destination(2));
const platform = await startPlatform({ ...config, persistTimetable: true }, logger, patient);
try {
  const bare = await startBare(platform, config, logger);
  try {
    const { redisUrl } = config;
    const redis = redisUrl === undefined ? undefined : { empty: () => removeKeys(redisUrl, schema, 'e:*') };
    console.log(await measure(platform, bare, redis, Math.max(1, Number(values.rounds))));
  } finally {
    await bare.close();
  }
} finally {
  await platform.reports.disconnect(platform.dataSource);
  await platform.dataSource.query(`DROP SCHEMA "${schema}" CASCADE`);
  await platform.close();
  if (config.redisUrl !== undefined) await removeKeys(config.redisUrl, schema);
}
