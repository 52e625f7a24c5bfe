// Two real processes of the example over real servers: one analysis for all viewers, kept over kills, and a ledger held to an access log.
import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { answer, completion, INSIGHT, startAiServer, type AiServer } from '../../example-app/test/ai-server.js';
import { type Answer, askAt } from '../../example-app/test/asking.js';
import { build } from '../../scripts/build.mjs';
import { bin } from '../../scripts/lib/run.mjs';
import { root } from '../house/sources.js';
import { databaseUrl, ownSchema } from '../support/isolation.js';
import { startPrivateRedis, type PrivateRedis } from '../support/private-redis.js';
import { kill } from '../support/processes.mjs';

const START_LIMIT_MS = 120_000;
const STUDENT = 11391;
const INSIGHT_PATH = `/api/insights/students/${STUDENT}/AAA`;
const TOKENS = 1500;
/** Who may see the student; each of them is another viewer. */
const VIEWERS = ['demo-student', 'demo-teacher', 'demo-tutor', 'demo-parent', 'demo-admin'] as const;

/** Of `GET /api/insights/statistics`. */
interface DayRow {
  readonly insights: { readonly generated: number; readonly served_from_cache: number };
  readonly tokens: { readonly used: number; readonly saved: number };
}

interface Process {
  readonly child: ChildProcess;
  readonly url: string;
}

/** What a process has answered, as its own headers say. */
interface Logged {
  readonly process: Process;
  readonly used: number;
  readonly saved: number;
  readonly source: string;
}

/** The example and the library, compiled for this file alone: another test may be building the others. */
let built: string;
let redis: PrivateRedis;
let ai: AiServer;
let db: DataSource;
let schema: string;
const processes: Process[] = [];

beforeAll(async () => {
  built = mkdtempSync(join(root, 'example-app', '.cache-'));
  const library = join(built, 'node_modules/express-report-cache');
  mkdirSync(library, { recursive: true });
  copyFileSync(join(root, 'package.json'), join(library, 'package.json'));
  const example = ['-p', 'example-app', '--noCheck', '--outDir', built];
  await Promise.all([
    build(join(library, 'dist')),
    promisify(execFile)(process.execPath, [bin('typescript', 'tsc'), ...example], { cwd: root }),
  ]);
}, START_LIMIT_MS);
afterAll(() => rmSync(built, { recursive: true, force: true }));

beforeEach(async () => {
  [redis, ai] = await Promise.all([startPrivateRedis(), startAiServer()]);
  schema = ownSchema();
  db = await new DataSource({ type: 'postgres', url: databaseUrl() }).initialize();
  processes.push(await start());
  processes.push(await start());
}, START_LIMIT_MS);

afterEach(async () => {
  await Promise.all(processes.splice(0).map(({ child }) => kill(child)));
  await db.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await db.destroy();
  await ai.close();
  await redis.stop();
}, START_LIMIT_MS);

async function start(): Promise<Process> {
  const env = {
    ...process.env,
    NODE_OPTIONS: '',
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: databaseUrl(),
    DATABASE_SCHEMA: schema,
    REDIS_URL: redis.url,
    COHORT_STUDENTS: '24',
    AI_URL: ai.url,
    AI_KEY: 'sk-of-the-test',
    AI_MODEL: 'small',
  };
  const child = fork(join(built, 'demo/insights-process.js'), { env });
  const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`It ended with ${code}.`)));
  failed.catch(() => undefined);
  const [{ url }] = (await Promise.race([once(child, 'message'), failed])) as [{ url: string }];
  return { child, url };
}

const ask = ({ url }: Process, token = 'demo-admin', path = INSIGHT_PATH): Promise<Answer> => askAt(url, token, path);

async function read(process: Process, token?: string): Promise<Logged> {
  const { status, headers } = await ask(process, token);
  expect(status).toBe(200);
  const [used, saved] = [Number(headers['result-tokens-used']), Number(headers['result-tokens-saved'])];
  return { process, used, saved, source: String(headers['result-source']) };
}

const tokensOf = (log: readonly Logged[]) => ({
  used: log.reduce((sum, { used }) => sum + used, 0),
  saved: log.reduce((sum, { saved }) => sum + saved, 0),
});

/** What the ledger has: of this process up to now, of the others up to their last flush. All days: midnight may pass. */
async function ledger(process: Process): Promise<{ generated: number; served: number; used: number; saved: number }> {
  const day = (offset: number) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
  const path = `/api/insights/statistics?from=${day(-1)}&to=${day(1)}`;
  const { days } = (await ask(process, 'demo-admin', path)).body as { days: DayRow[] };
  const sum = (value: (row: DayRow) => number) => days.reduce((total, row) => total + value(row), 0);
  return {
    generated: sum(({ insights }) => insights.generated),
    served: sum(({ insights }) => insights.served_from_cache),
    used: sum(({ tokens }) => tokens.used),
    saved: sum(({ tokens }) => tokens.saved),
  };
}

const persisted = async (): Promise<number> => {
  const sql = `SELECT count(*)::int AS count FROM "${schema}".report_cache_entry WHERE type = 'ai_insight'`;
  return (await db.query(sql))[0].count;
};

/** The service does not answer before `finish` is called. */
function hold(): () => void {
  const held: (() => unknown)[] = [];
  const { reply } = ai;
  ai.reply = (res, asked) => held.push(() => reply(res, asked));
  return () => {
    ai.reply = reply;
    for (const one of held.splice(0)) one();
  };
}

it('FAULT ten viewers at once in two processes: one analysis is paid for; killed, and Redis empty: still the same one', async () => {
  const finish = hold();
  const asking = [0, 1].flatMap((at) => VIEWERS.map((token) => read(processes[at]!, token)));
  await ai.asked(1);
  finish();
  const log = await Promise.all(asking);

  expect(ai.requests).toHaveLength(1);
  expect(log.filter(({ source }) => source === 'ai_model')).toHaveLength(1);
  expect(tokensOf(log)).toEqual({ used: TOKENS, saved: 9 * TOKENS });
  await ledger(processes[1]!);
  expect(await ledger(processes[0]!)).toEqual({ generated: 1, served: 9, used: TOKENS, saved: 9 * TOKENS });

  await Promise.all(processes.splice(0).map(({ child }) => kill(child)));
  await redis.restart();
  processes.push(await start(), await start());
  expect((await read(processes[0]!)).source).toBe('database');
  const others = await Promise.all(VIEWERS.map((token) => read(processes[1]!, token)));
  expect(others.map(({ used }) => used)).toEqual([0, 0, 0, 0, 0]);
  expect(ai.requests).toHaveLength(1);
});

it('FAULT killed while an analysis is being made: nothing is half kept, and the next reader has one from the other process', async () => {
  const [first, second] = processes as [Process, Process];
  const finish = hold();
  const lost = ask(first).catch((error: Error) => error.message);
  await ai.asked(1);
  // He waits for the first one, who does not live to tell.
  const waiting = read(second);
  await kill(first.child);
  expect(await lost).toEqual(expect.any(String));
  expect(await persisted()).toBe(0);
  await ai.asked(2);
  finish();
  expect((await waiting).source).toBe('ai_model');
  expect(await persisted()).toBe(1);
  expect(await read(second)).toMatchObject({ used: 0, saved: TOKENS });
  expect(await ledger(second)).toEqual({ generated: 1, served: 1, used: TOKENS, saved: TOKENS });
  const { body } = await ask(second, 'demo-admin', '/api/insights');
  expect((body as { items: object[] }).items).toEqual([expect.objectContaining({ generated: 1, hits: 1 })]);
});

it('FAULT an engine that fails: every reader is told, nothing is kept, and the next analysis succeeds', async () => {
  const { reply } = ai;
  ai.reply = answer('{"error":"down"}', 500);
  const failed = await Promise.all(processes.flatMap((one) => VIEWERS.map((token) => ask(one, token))));
  expect(failed.map(({ status }) => status)).toEqual(failed.map(() => 502));
  expect(await persisted()).toBe(0);
  process.stdout.write(`ten readers of a failing engine, in two processes: it was asked ${ai.requests.length} times\n`);
  ai.reply = reply;
  const other = `${INSIGHT_PATH}?engine=local`;
  expect((await ask(processes[0]!, 'demo-admin', other)).status).toBe(200);
});

it('FAULT a process is killed: the ledger lacks what that one had counted since its last flush, and nothing else', async () => {
  ai.reply = answer(completion(INSIGHT));
  const [survivor, victim] = processes as [Process, Process];
  const log: Logged[] = [];
  const reads = async (count: number) => {
    for (let at = 0; at < count; at += 1)
      for (const one of [survivor, victim]) log.push(await read(one, VIEWERS[at % VIEWERS.length]));
  };
  await reads(20);
  // Asking a process for its statistics flushes what it has counted.
  await ledger(victim);
  const flushed = log.filter(({ process }) => process === victim);
  await reads(20);
  await kill(victim.child);

  const mine = log.filter(({ process }) => process === survivor);
  const [all, least] = [tokensOf(log), tokensOf([...mine, ...flushed])];
  const found = await ledger(survivor);
  // Whether the victim's timer was faster than the kill is nobody's to say.
  for (const kind of ['used', 'saved'] as const) {
    expect(found[kind]).toBeGreaterThanOrEqual(least[kind]);
    expect(found[kind]).toBeLessThanOrEqual(all[kind]);
  }
  const lost = (all.saved - found.saved) / TOKENS;
  expect(lost).toBeLessThanOrEqual(20);
  process.stdout.write(
    `of ${log.length} reads ${lost} are not in the ledger; 20 had not been flushed by the one that was killed\n`,
  );
  // From here on one process alone is counted, and exactly.
  const later = [await read(survivor), await read(survivor)];
  const after = await ledger(survivor);
  expect({ used: after.used - found.used, saved: after.saved - found.saved }).toEqual(tokensOf(later));
});
