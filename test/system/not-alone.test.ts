// Several processes without Redis: each knows only its own writes, so none of them serves anything.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { createReportCache, type CacheEvent } from '../../src/index.js';
import { root } from '../house/sources.js';

const exec = promisify(execFile);

async function readTwice(alone: boolean | undefined) {
  const events: CacheEvent[] = [];
  const reports = createReportCache({
    identify: () => ({ user: 1 }),
    onEvent: (event) => events.push(event),
    ...(alone !== undefined && { alone }),
  });
  let runs = 0;
  const load = () => reports.getOrLoad({ type: 'custom', report: 1, identity: { user: 1 } }, async () => (runs += 1));
  await load();
  await load();
  await reports.close();
  return { runs, kinds: events.map((event) => ('reason' in event ? `${event.kind} ${event.reason}` : event.kind)) };
}

describe('a process without Redis', () => {
  it('serves from its memory where it is the only one', async () => {
    expect((await readTwice(undefined)).runs).toBe(1);
  });

  it('computes every report where it is one of several, and says so once', async () => {
    const { runs, kinds } = await readTwice(false);
    expect(runs).toBe(2);
    expect(kinds).toEqual(['advice', 'bypass not-alone', 'ran', 'bypass not-alone', 'ran']);
  });

  it('takes a worker of a cluster for one of several, unless it is told otherwise', async () => {
    const script = `
      import cluster from 'node:cluster';
      import { createReportCache } from ${JSON.stringify(`${root}/dist/esm/index.js`)};
      if (cluster.isPrimary) {
        for (const alone of ['', 'yes']) {
          const worker = cluster.fork({ ALONE: alone });
          await new Promise((resolve) => worker.on('message', (runs) => { console.log(runs); resolve(); }));
          worker.kill();
        }
      } else {
        const alone = process.env.ALONE === 'yes' ? { alone: true } : {};
        const reports = createReportCache({ identify: () => ({ user: 1 }), ...alone });
        let runs = 0;
        for (const _ of [1, 2])
          await reports.getOrLoad({ type: 'custom', report: 1, identity: { user: 1 } }, async () => (runs += 1));
        process.send(runs);
      }`;
    const folder = await mkdtemp(join(tmpdir(), 'not-alone-'));
    try {
      await writeFile(join(folder, 'main.mjs'), script);
      const { stdout } = await exec(process.execPath, [join(folder, 'main.mjs')]);
      expect(stdout.trim().split('\n')).toEqual(['2', '1']);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
