// Measures the first minute of a Monday: everybody opens his progress report, on an empty cache and on one that was warmed.
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import type { DataSource, Logger as QueryLogger } from 'typeorm';
import { loadConfig } from '../config.js';
import { createRandom } from '../data/random.js';
import { type Platform, startPlatform } from '../platform.js';
import { RUNNING } from '../warming.js';
import { patient } from './patient.js';
import { removeKeys } from './remove-keys.js';

interface Student {
  readonly id: number;
  /** One of his, which runs. */
  readonly code: string;
}

/** One request of a student, at a moment that does not depend on how long others take. */
interface Click {
  readonly student: Student;
  readonly atMs: number;
  readonly what: 'open' | 'filtered' | 'again';
}

interface Answered {
  readonly what: Click['what'];
  readonly hit: boolean;
  /** From when he clicked, not from when the machine found time to send it. */
  readonly ms: number;
}

interface Minute {
  readonly answers: readonly Answered[];
  readonly queries: number;
  /** What each student saw first. */
  readonly etags: ReadonlyMap<number, string>;
}

/** Every second one also looks at one course; each comes back twice, as a browser does. In parts of the minute after his arrival. */
const LATER = { filtered: 0.04, again: [0.08, 0.14] } as const;
const LAST_ARRIVAL = 0.85;

const agent = new Agent({ keepAlive: true });

async function get(url: string, student: number, path: string, etag?: string) {
  const headers = {
    authorization: `Bearer demo-user-${student}`,
    ...(etag !== undefined && { 'if-none-match': etag }),
  };
  const sent = request(url + path, { headers, agent });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode ?? 0, cache: response.headers['x-cache'], etag: response.headers.etag ?? '' };
}

/** How many statements went to the database by way of TypeORM. */
function countQueries(dataSource: DataSource): () => number {
  let count = 0;
  const nothing = () => undefined;
  const logger: QueryLogger = {
    logQuery: () => void (count += 1),
    logQueryError: nothing,
    logQuerySlow: nothing,
    logSchemaBuild: nothing,
    logMigration: nothing,
    log: nothing,
  };
  dataSource.logger = logger;
  return () => count;
}

async function whoComes(dataSource: DataSource, count: number): Promise<Student[]> {
  return dataSource.query(
    `SELECT e.student_id AS id, min(e.presentation_code) AS code
       FROM enrolments e JOIN module_presentations p ON p.code = e.presentation_code
      WHERE e.unregistered_day IS NULL AND ${RUNNING}
      GROUP BY 1 ORDER BY hashint4(e.student_id) LIMIT $1`,
    [count],
  );
}

/** The same for both minutes. */
function clicksOf(students: readonly Student[], seconds: number): Click[] {
  const random = createRandom(7);
  const clicks = students.flatMap((student, index): Click[] => {
    const at = (part: number) => part * seconds * 1000;
    const arrival = random.next() * LAST_ARRIVAL;
    return [
      { student, what: 'open', atMs: at(arrival) },
      ...(index % 2 === 0 ? [{ student, what: 'filtered' as const, atMs: at(arrival + LATER.filtered) }] : []),
      ...LATER.again.map((part) => ({ student, what: 'again' as const, atMs: at(arrival + part) })),
    ];
  });
  return clicks.toSorted((a, b) => a.atMs - b.atMs);
}

async function minute(url: string, clicks: readonly Click[], queries: () => number): Promise<Minute> {
  const etags = new Map<number, string>();
  const queriesBefore = queries();
  const began = performance.now();
  const click = async ({ student: { id, code }, what, atMs }: Click): Promise<Answered> => {
    const wait = began + atMs - performance.now();
    if (wait > 0) await pause(wait);
    const path = `/api/reports/students/me/progress${what === 'filtered' ? `?presentation=${code}` : ''}`;
    const { status, cache, etag } = await get(url, id, path, what === 'again' ? etags.get(id) : undefined);
    const ms = performance.now() - began - atMs;
    if (status !== 200 && status !== 304) throw new Error(`${path} answered ${status} to student ${id}.`);
    if (what === 'open') etags.set(id, etag);
    return { what, hit: cache === 'HIT', ms };
  };
  const answers = await Promise.all(clicks.map(click));
  return { answers, queries: queries() - queriesBefore, etags };
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');

function line(name: string, answers: readonly Answered[], queries?: number): string {
  const sorted = answers.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const quantile = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
  const hits = answers.filter(({ hit }) => hit).length / answers.length;
  const cells = [
    whole(answers.length),
    `${(hits * 100).toFixed(1)} %`,
    ...[0.5, 0.95, 0.99].map((part) => `${quantile(part).toFixed(1)} ms`),
    queries === undefined ? '' : whole(queries),
  ];
  return name.padEnd(28) + cells.map((cell) => cell.padStart(11)).join('');
}

/** On a terminal one line that grows; elsewhere a line for each tenth. */
function bar(): (done: number, total: number) => void {
  const WIDTH = 40;
  let shown = -1;
  return (done, total) => {
    const { isTTY } = process.stdout;
    const steps = isTTY ? WIDTH : 10;
    const step = total === 0 ? steps : Math.floor((done / total) * steps);
    if (step === shown) return;
    shown = step;
    const text = `warming [${'#'.repeat((step * WIDTH) / steps).padEnd(WIDTH, '.')}] ${whole(done)} of ${whole(total)}`;
    process.stdout.write(isTTY ? `\r${text}${done === total ? '\n' : ''}` : `${text}\n`);
  };
}

async function measure(platform: Platform, count: number, seconds: number): Promise<string> {
  const { dataSource, reports, url, loaded } = platform;
  const students = await whoComes(dataSource, count);
  // Logged in they are already: whom a token belongs to is not what is measured.
  for (const { id } of students) await get(url, id, '/api/nothing');
  const clicks = clicksOf(students, seconds);
  const queries = countQueries(dataSource);
  console.log(`${loaded.source}: ${whole(students.length)} students, ${seconds} s, on an empty cache …`);
  await reports.clear();
  const cold = await minute(url, clicks, queries);

  await reports.clear();
  const before = queries();
  const show = bar();
  const { total, computed, failed, ms, stopped } = await reports.warm(
    { all: true },
    { onProgress: (progress) => show(progress.cached + progress.failed, progress.total) },
  );
  const forWarming = queries() - before;
  console.log('and on the warmed one …');
  const warmed = await minute(url, clicks, queries);
  for (const [id, etag] of cold.etags)
    if (warmed.etags.get(id) !== etag) throw new Error(`Student ${id} was shown something else.`);

  const heads = ['requests', 'hits', 'median', '95 %', '99 %', 'queries'].map((head) => head.padStart(11));
  const rows = ([name, { answers, queries: asked }]: readonly [string, Minute]) => [
    line(name, answers, asked),
    line(
      '  opening the report',
      answers.filter(({ what }) => what === 'open'),
    ),
    line(
      '  one course of it',
      answers.filter(({ what }) => what === 'filtered'),
    ),
    line(
      '  coming back',
      answers.filter(({ what }) => what === 'again'),
    ),
  ];
  return [
    '',
    ''.padEnd(28) + heads.join(''),
    ...[['empty cache', cold] as const, ['warmed cache', warmed] as const].flatMap(rows),
    '',
    `warming: ${whole(total)} reports in ${(ms / 1000).toFixed(1)} s, ${whole(computed)} computed, ${whole(failed)} failed,` +
      ` ${whole(forWarming)} queries${stopped === undefined ? '' : `; stopped: ${stopped}`}`,
    `all students were shown the same in both; load average ${loadavg()[0]?.toFixed(1)}`,
  ].join('\n');
}

const { values } = parseArgs({
  options: { students: { type: 'string', default: '2000' }, seconds: { type: 'string', default: '60' } },
});
// Names of its own: a platform that runs beside it keeps its data, and its cache.
const schema = `report_cache_demo_${process.pid}`;
const config = loadConfig({ COHORT_STUDENTS: '6000', ...process.env, PORT: '0', SCHEDULE: 'off' });
const logger = pino({ level: 'error' }, pino.destination(2));
const platform = await startPlatform({ ...config, schema }, logger, patient);
try {
  console.log(await measure(platform, Math.max(1, Number(values.students)), Math.max(1, Number(values.seconds))));
} finally {
  agent.destroy();
  await platform.reports.disconnect(platform.dataSource);
  await platform.dataSource.query(`DROP SCHEMA "${schema}" CASCADE`);
  await platform.close();
  if (config.redisUrl !== undefined) await removeKeys(config.redisUrl, schema);
}
