// Shows what keeping analyses spares: three requests, ten viewers at once in two processes, and a restart of everything.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { type Config, loadConfig } from '../config.js';
import { createDataSource } from '../data-source.js';
import { startEmbedded } from '../embedded/server.js';
import type { Delivery } from '../insights/delivered.js';
import type { DayRow } from '../insights/statistics.js';
import { startOwnRedis } from './own-redis.js';
import { removeKeys } from './remove-keys.js';

const SCRIPT = fileURLToPath(new URL('insights-process.js', import.meta.url));
const STUDENT = 11391;
const NEIGHBOUR = 28400;
const VIEWERS = ['demo-teacher', 'demo-tutor', 'demo-parent', 'demo-admin', `demo-user-${NEIGHBOUR}`] as const;
const insightOf = (student: number): string => `/api/insights/students/${student}/AAA`;

interface Process {
  readonly child: ChildProcess;
  readonly url: string;
}

interface Timed {
  readonly result: Delivery;
  readonly ms: number;
}

/** Servers that all processes share, whoever started them. */
interface Servers {
  readonly databaseUrl: string;
  /** Undefined: there is none on this machine. */
  readonly redisUrl: string | undefined;
  /** As after its restart. */
  emptyRedis(): Promise<void>;
}

const print = (...lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`);
const number = (value: number): string => Math.round(value).toLocaleString('en');
const dollars = (value: number): string => `$${value.toFixed(5)}`;

async function start(servers: Servers, env: NodeJS.ProcessEnv): Promise<Process> {
  const { databaseUrl, redisUrl } = servers;
  const urls = { DATABASE_URL: databaseUrl, ...(redisUrl !== undefined && { REDIS_URL: redisUrl }) };
  const child = fork(SCRIPT, { env: { ...env, ...urls } });
  const failed = once(child, 'exit').then(() => Promise.reject(new Error('A process did not start.')));
  failed.catch(() => undefined);
  const [{ url }] = (await Promise.race([once(child, 'message'), failed])) as [{ url: string }];
  return { child, url };
}

/** Both at once: the first to come loads the data. */
const startBoth = (servers: Servers, env: NodeJS.ProcessEnv): Promise<[Process, Process]> =>
  Promise.all([start(servers, env), start(servers, env)]);

async function end({ child }: Process, how: () => unknown): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  how();
  await gone;
}

async function get<T>({ url }: Process, path: string, token: string): Promise<T> {
  const response = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

async function ask(process: Process, student: number, token: string): Promise<Timed> {
  const started = performance.now();
  const { result } = await get<{ result: Delivery }>(process, insightOf(student), token);
  return { result, ms: performance.now() - started };
}

function row(name: string, { result, ms }: Timed): string {
  const { cached, joined, source, tokens, money } = result;
  const cells = [
    // Asked while it was being generated, and waited for that.
    joined ? 'hit, waited' : cached ? 'hit' : 'generated',
    `from ${source}`,
    `${ms < 10 ? ms.toFixed(1) : number(ms)} ms`,
    `${number(tokens.used)} tokens used`,
    `${number(tokens.saved)} saved`,
    money === null ? '' : `${dollars(money.used)} spent, ${dollars(money.saved)} saved`,
  ];
  const widths = [12, 14, 9, 18, 12, 0];
  return `  ${name.padEnd(14)}${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' ')}`.trimEnd();
}

async function threeRequests([first]: [Process, Process]): Promise<void> {
  print('', 'Three requests for one analysis:');
  for (const token of ['demo-student', 'demo-teacher', 'demo-parent'])
    print(row(token.replace('demo-', ''), await ask(first, STUDENT, token)));
}

async function tenViewers(both: [Process, Process], shared: boolean): Promise<void> {
  print('', 'Ten viewers at once of another student, five in each of two processes:');
  const answers = await Promise.all(
    both.flatMap((one, at) =>
      VIEWERS.map(async (token) => ({ name: `process ${at + 1}`, answer: await ask(one, NEIGHBOUR, token) })),
    ),
  );
  for (const { name, answer } of answers) print(row(name, answer));
  const generations = answers.filter(({ answer }) => !answer.result.cached).length;
  print(`  => ${generations} ${generations === 1 ? 'generation' : 'generations'} instead of ${answers.length}`);
  if (!shared)
    print(
      '     One for each process: over all of them it is one where they share a Redis (REDIS_URL, or redis-server here).',
    );
  const expected = shared ? 1 : both.length;
  if (generations > expected) throw new Error(`${generations} generations instead of ${expected}.`);
}

async function afterRestart([first, second]: [Process, Process]): Promise<void> {
  const answers = [
    { name: 'process 1', answer: await ask(first, STUDENT, 'demo-student') },
    { name: 'process 2', answer: await ask(second, NEIGHBOUR, 'demo-teacher') },
  ];
  for (const { name, answer } of answers) print(row(name, answer));
  if (answers.some(({ answer }) => !answer.result.cached)) throw new Error('An analysis was generated again.');
}

/** Asking a process adds to the database what it has counted; it does so by itself every ten seconds. */
async function daysOf([first, second]: [Process, Process]): Promise<readonly DayRow[]> {
  const days = (one: Process) => get<{ days: DayRow[] }>(one, '/api/insights/statistics', 'demo-admin');
  await days(second);
  return (await days(first)).days;
}

async function theDay(both: [Process, Process]): Promise<void> {
  const day = (await daysOf(both)).at(-1);
  if (day === undefined) return;
  const { insights, tokens, money } = day;
  print('', `The ledger of ${day.day}, of all four processes:`);
  print(
    `  ${insights.generated} generated, ${insights.served_from_cache} served from the cache (${percent(insights.hit_rate)})`,
  );
  print(
    `  ${number(tokens.used)} tokens used, ${number(tokens.saved)} saved (efficiency ${percent(tokens.efficiency)})`,
  );
  const { used = 0, saved = 0 } = money['USD'] ?? {};
  print(`  ${dollars(used)} spent, ${dollars(saved)} saved`);
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

async function demonstrate(servers: Servers, config: Config, env: NodeJS.ProcessEnv): Promise<void> {
  const running: Process[] = [];
  const both = async (): Promise<[Process, Process]> => {
    const started = await startBoth(servers, env);
    running.push(...started);
    return started;
  };
  try {
    const before = await both();
    const engine = config.ai === undefined ? `local, ${number(config.localMs)} ms for an analysis` : config.ai.model;
    print(`Two processes over PostgreSQL${servers.redisUrl === undefined ? '' : ' and Redis'}; engine: ${engine}`);
    // Connections, and code that runs for the first time.
    for (const one of before) await get(one, `/api/reports/students/${STUDENT}/progress`, 'demo-admin');
    await threeRequests(before);
    await tenViewers(before, servers.redisUrl !== undefined);
    await daysOf(before);
    const emptied = servers.redisUrl === undefined ? '' : ' Redis is emptied,';
    print('', `Both processes are killed,${emptied} two new processes start:`);
    await Promise.all(running.splice(0).map((one) => end(one, () => one.child.kill('SIGKILL'))));
    await servers.emptyRedis();
    const after = await both();
    await afterRestart(after);
    await theDay(after);
  } finally {
    await Promise.all(running.map((one) => end(one, () => one.child.disconnect())));
  }
}

async function dropSchema(databaseUrl: string, schema: string): Promise<void> {
  const dataSource = await createDataSource(databaseUrl, schema).initialize();
  await dataSource.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await dataSource.destroy();
}

const { values } = parseArgs({ options: { ms: { type: 'string' } } });
// Names of its own: a platform that runs beside it keeps its data, and its cache.
const schema = `report_cache_insights_${process.pid}`;
const env = {
  ...process.env,
  PORT: '0',
  COHORT_STUDENTS: '24',
  DATABASE_SCHEMA: schema,
  ...(values.ms !== undefined && { LOCAL_AI_MS: values.ms }),
};
const config = loadConfig(env);
const logger = pino({ level: 'error' }, pino.destination(2));

const embedded = config.databaseUrl === undefined ? await startEmbedded(config.embeddedDir, logger) : undefined;
const databaseUrl = config.databaseUrl ?? embedded?.url ?? '';
const own = config.redisUrl === undefined ? await startOwnRedis() : undefined;
const redisUrl = config.redisUrl ?? own?.url;
try {
  const emptyRedis = async (): Promise<void> => {
    if (redisUrl !== undefined) await removeKeys(redisUrl, schema);
  };
  await demonstrate({ databaseUrl, redisUrl, emptyRedis }, config, env);
} finally {
  await dropSchema(databaseUrl, schema);
  if (config.redisUrl !== undefined) await removeKeys(config.redisUrl, schema);
  await own?.stop();
  await embedded?.stop();
}
