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

describe('npm start', () => {
  it('says where it listens and how to ask', () => {
    expect(printed).toContain(`http://localhost:${port}`);
    for (const token of ['demo-teacher', 'demo-student', 'demo-tutor', 'demo-parent', 'demo-admin']) {
      expect(printed).toContain(token);
    }
  });

  it("serves the example README's walk: MISS, HIT, 304, a grade, MISS with the new score, and a neighbour's HIT", async () => {
    const markdown = readFileSync(join(root, 'example-app/README.md'), 'utf8');
    const walk = fencedBlocks(markdown).find((block) => block.marks.includes('walk'));
    const code = walk?.code.replace('http://localhost:3000', `http://127.0.0.1:${port}`) ?? 'false';
    const { stdout } = await exec('sh', ['-e', '-c', code]);
    const labels = stdout
      .split('\n')
      .flatMap((line) => /^(?:x-cache: (\w+)|HTTP\/1.1 (304))/i.exec(line)?.slice(1) ?? []);
    expect(labels.filter(Boolean)).toEqual(['MISS', 'HIT', '304', 'MISS', 'MISS', 'MISS', 'MISS', 'HIT']);
    expect(stdout).toContain('"score":91');
  });
});
