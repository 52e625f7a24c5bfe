// `npm start` as a newcomer types it, and the curl walk of the example's README against what it started.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fencedBlocks } from '../house/markdown.js';
import { root } from '../house/sources.js';

const START_LIMIT_MS = 120_000;
const exec = promisify(execFile);

let server: ChildProcess;
let port: number;
let printed = '';

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port: free } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return free;
}

beforeAll(async () => {
  port = await freePort();
  // The embedded default: nothing given, whatever the test run itself was given.
  const env = { ...process.env, PORT: String(port), NODE_OPTIONS: '' };
  for (const name of ['DATABASE_URL', 'REDIS_URL', 'OULAD_DIR', 'NODE_ENV']) delete env[name as keyof typeof env];
  server = spawn('npm', ['start'], { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('demo-admin')) resolve();
    };
    server.stdout?.on('data', hear);
    server.stderr?.on('data', hear);
    server.once('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${printed}`)));
  });
}, START_LIMIT_MS);

afterAll(async () => {
  if (server.pid === undefined || server.exitCode !== null) return;
  const gone = new Promise((resolve) => server.once('exit', resolve));
  process.kill(-server.pid, 'SIGTERM');
  await gone;
}, START_LIMIT_MS);

/** What a walk of the README prints. */
async function walked(index: number): Promise<string> {
  const markdown = readFileSync(join(root, 'example-app/README.md'), 'utf8');
  const walk = fencedBlocks(markdown)
    .filter((block) => block.marks.includes('walk'))
    .at(index);
  const code = walk?.code.replace('http://localhost:3000', `http://127.0.0.1:${port}`) ?? 'false';
  const { stdout } = await exec('sh', ['-e', '-c', code]);
  return stdout;
}

describe('npm start', () => {
  it('says where it listens and how to ask', () => {
    expect(printed).toContain(`http://localhost:${port}`);
    for (const token of ['demo-teacher', 'demo-student', 'demo-tutor', 'demo-parent', 'demo-admin']) {
      expect(printed).toContain(token);
    }
  });

  it("serves the example README's walk: MISS, HIT, 304, a grade, MISS with the new score, and a neighbour's HIT", async () => {
    const stdout = await walked(0);
    const labels = stdout
      .split('\n')
      .flatMap((line) => /^(?:x-cache: (\w+)|HTTP\/1.1 (304))/i.exec(line)?.slice(1) ?? []);
    expect(labels.filter(Boolean)).toEqual(['MISS', 'HIT', '304', 'MISS', 'MISS', 'MISS', 'MISS', 'HIT']);
    expect(stdout).toContain('"score":91');
  });

  it('serves the walk through the timetable: a change has loaded anew what is made of it, and nothing else', async () => {
    const lines = (await walked(1)).split('\n').map((line) => line.trim());
    expect(lines.flatMap((line) => /^x-cache: (\w+)/i.exec(line)?.[1] ?? [])).toEqual(['MISS', 'HIT', 'MISS', 'MISS']);
    expect(lines).toContain('"NEW-6-8"');
    const answers = lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    expect(answers).toContainEqual(expect.objectContaining({ organization_id: 2, total: 7, failed: [] }));
    expect(answers).toContainEqual(expect.objectContaining({ tags: ['courses:1%402026-1', 'courses:1%40'] }));
    const once = { courses: 1, faculty: 1, rooms: 1, students: 1, config: 1, departments: 1, time_slots: 1 };
    const stats = answers.filter(({ resources }) => resources !== undefined);
    expect(
      stats.map(({ resources }) =>
        Object.fromEntries(Object.entries<{ loads: number }>(resources).map(([name, { loads }]) => [name, loads])),
      ),
    ).toEqual([{ ...once, rooms: 2 }, { ...once, rooms: 2, courses: 2, departments: 2, time_slots: 2 }, once]);
  });

  it('serves the walk through the analyses: generated once, anew after a grade, counted', async () => {
    const lines = (await walked(2)).split('\n').map((line) => line.trim());
    const told = (header: string) => lines.flatMap((line) => new RegExp(`^${header}: (.+)`, 'i').exec(line)?.[1] ?? []);
    expect(told('x-cache')).toEqual(['MISS', 'HIT', 'MISS']);
    expect(told('result-source')).toEqual(['ai_model', 'memory', 'ai_model']);
    expect(told('result-tokens-used')).toEqual(['1500', '0', '1500']);
    const answers = lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    expect(answers).toContainEqual(expect.objectContaining({ student: 11391, subject: 'AAA', engine: 'local' }));
    expect(answers.flatMap(({ reads }) => reads ?? [])).toEqual([1, 2]);
    const use = { user_id: 11391, generated: 2, hits: 2, tokens_used: 3000, tokens_saved: 3000, state: 'fresh' };
    expect(answers).toContainEqual({ total: 1, items: [expect.objectContaining(use)] });
    const { days } = answers.find((one) => one.days !== undefined);
    expect(days.at(-1)).toMatchObject({
      insights: { generated: 2, hits: 2, failed: 0, hit_rate: 0.5 },
      tokens: { used: 3000, saved: 3000, efficiency: 0.5 },
      analytics: { generated: 1, served_from_cache: 1 },
    });
    expect(answers.at(-1)).toEqual({ cleared: { ai_insight: 0, user_analytics: 0 } });
  });

  it('serves the walk through the lessons: written once, anew for a reason, chosen by a vote and by a pin, counted', async () => {
    const lines = (await walked(3)).split('\n').map((line) => line.trim());
    expect(lines).toContain('HTTP/1.1 304 Not Modified');
    const answers = lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    const lessons = answers.filter(({ lesson }) => lesson !== undefined);
    expect(lessons.map(({ version, cached, source }) => [version, cached, source])).toEqual([
      [1, false, 'writer'],
      [1, true, 'memory'],
      [2, false, 'writer'],
      [2, true, 'database'],
      [1, true, 'database'],
      [2, true, 'database'],
    ]);
    expect(answers).toContainEqual({ version: 1, vote: 'up', up: 1, down: 0, approved: false });
    const { versions } = answers.find((one) => one.versions !== undefined);
    expect(versions).toMatchObject([
      { version: 2, reason: 'with pizzas', views: 1, served: false },
      { version: 1, up: 1, views: 5, served: true },
    ]);
    expect(answers.at(-1)).toMatchObject({ total: { generated: 2, failed: 0, hits: 6 } });
  });

  it('serves the walk through the morning: counted, made ready, found by its reader, and an administrator’s to begin', async () => {
    const lines = (await walked(4)).split('\n').map((line) => line.trim());
    const [all, user, readers, looked] = lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    expect(all).toMatchObject({ dry_run: true, computed: 0, cached: 0 });
    expect(all.total).toBeGreaterThan(400);
    expect(user).toMatchObject({ total: 1, cached: 1, computed: 1, failed: 0 });
    expect(lines.flatMap((line) => /^x-cache: (\w+)/i.exec(line)?.[1] ?? [])).toEqual(['HIT']);
    expect(readers).toMatchObject({ cached: readers.total, computed: readers.total - 1, failed: 0 });
    expect(looked).toMatchObject({ names: ['student_progress', 'grade_distribution'], runs: [{ way: 'reports' }, {}] });
    expect(lines).toContain('403');
  });
});
