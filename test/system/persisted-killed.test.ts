// Real processes that are killed, one of them between its COMMIT and everything else. Needs `npm run build`.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { outboxMigrations, persistMigrations } from '../../src/index.js';
import { databaseUrl } from '../support/isolation.js';
import { startPrivateRedis, type PrivateRedis } from '../support/private-redis.js';
import { kill } from '../support/processes.mjs';
import { School } from './school.js';

const SCRIPT = fileURLToPath(new URL('persisted-process.mjs', import.meta.url));
const TIMEOUT_MS = 60_000;

let redis: PrivateRedis;
let school: School;
const children: ChildProcess[] = [];
beforeEach(async () => {
  redis = await startPrivateRedis();
  school = await School.open([...outboxMigrations, ...persistMigrations]);
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await school.close();
  await redis.stop();
});

async function start(shared: boolean): Promise<ChildProcess> {
  const env = {
    SCHOOL_URL: databaseUrl(),
    SCHOOL_SCHEMA: school.schema,
    SCHOOL_REDIS: shared ? redis.url : '',
    SCHOOL_NAMESPACE: school.namespace,
  };
  const child = fork(SCRIPT, { env: { ...process.env, ...env } });
  children.push(child);
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess): Promise<unknown> {
  const answered = once(child, 'message');
  child.send({});
  return (await answered)[0];
}

it.each([
  ['with Redis', true],
  ['with memory alone', false],
])(
  'FAULT killed, and Redis empty: the next process has the report; killed behind a COMMIT: nobody has the old one (%s)',
  async (_name, shared) => {
    const first = await start(shared);
    expect(await ask(first)).toEqual({ score: 50, computed: true });
    await kill(first);
    await redis.restart();

    const second = await start(shared);
    expect(await ask(second)).toEqual({ score: 50, computed: false });
    const gone = once(second, 'exit');
    second.send({ write: 77 });
    await gone;
    await redis.restart();

    const third = await start(shared);
    expect(await ask(third)).toEqual({ score: 77, computed: true });
    expect(await ask(third)).toEqual({ score: 77, computed: false });
    await kill(third);
    const fourth = await start(shared);
    expect(await ask(fourth)).toEqual({ score: 77, computed: false });
  },
  TIMEOUT_MS,
);
