// Measures what an invalidating write costs: `npm run bench:writes`.
//
//   npm run bench:writes                    all arms, writes bench/RESULTS-writes.md (about two minutes)
//   npm run bench:writes -- --quick         fewer writes, prints only (about half a minute)
//   npm run bench:writes -- --only=outbox   some arms and their floor, prints only; names are in write-arms.mjs
//
// Redis and PostgreSQL: REDIS_URL and DATABASE_URL, or whatever the tests would use; what is made there is removed.
//
// How: every arm is a process of its own (writer.mjs) with its own tables and its own namespace in Redis. All of them are
// up for the whole run, and take turns in short slices, so that what else the machine does meets all of them. What counts
// is the ratio inside a round: the median time of a write divided by that of the same write without the library.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Redis } from 'ioredis';
import { providePostgres } from '../test/support/postgres-service.mjs';
import { provideRedis } from '../test/support/redis-service.mjs';
import { describeMachine } from './report.mjs';
import { ARMS, CONCURRENCY, SHAPES } from './write-arms.mjs';
import { judge, printTable, writeMarkdown } from './write-report.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const NAMESPACE = `bench-${process.pid}`;

const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
});
const plan = flags.quick
  ? { warmUp: 200, rounds: 3, slices: 10, writes: 10, invalidations: 2_000 }
  : { warmUp: 500, rounds: 5, slices: 30, writes: 10, invalidations: 20_000 };
const arms = ARMS.filter(({ name }, index) => index === 0 || (flags.only?.split(',').includes(name) ?? true));

if (!existsSync(here('../dist/esm/index.js'))) {
  console.error('There is no dist/esm: run `npm run build` first.');
  process.exit(1);
}

const [redisService, postgres] = await Promise.all([provideRedis(), providePostgres()]);
const redis = new Redis(redisService.url);
const writers = new Map();
const helpers = [];
const runs = [];
const rates = [];
let machine;
try {
  machine = describeMachine({
    packages: [
      ['TypeORM', 'typeorm'],
      ['ioredis', 'ioredis'],
    ],
    more: [...(await serverFacts()), ['Redis', `${await redisVersion()}, over loopback`]],
  });
  for (const arm of arms) {
    say(`start ${arm.name}`);
    if (arm.holder) helpers.push(await start(arm, 'holder'));
    writers.set(arm, await start(arm, 'writer'));
    for (const { name } of SHAPES) await order(writers.get(arm), { do: name, count: plan.warmUp });
  }
  for (let round = 1; round <= plan.rounds; round += 1) {
    say(`round ${round}/${plan.rounds}`);
    for (const shape of SHAPES) {
      const latencies = new Map(arms.map((arm) => [arm, []]));
      for (let slice = 0; slice < plan.slices; slice += 1)
        for (const arm of arms)
          latencies.get(arm).push(...(await order(writers.get(arm), { do: shape.name, count: plan.writes })).latencies);
      for (const arm of arms) runs.push({ round, shape, arm, latencies: latencies.get(arm) });
    }
    for (const arm of arms.filter(({ name }) => name === 'bump' || name === 'barrier')) {
      for (const concurrency of CONCURRENCY) {
        const count = plan.invalidations / plan.rounds;
        const { elapsed } = await order(writers.get(arm), { do: 'invalidate', count: Math.ceil(count), concurrency });
        rates.push({ round, arm, concurrency, rate: (Math.ceil(count) / elapsed) * 1000 });
      }
    }
  }
  for (const writer of writers.values()) await stop(writer);
} finally {
  process.stderr.write('\r'.padEnd(60) + '\r');
  for (const child of [...writers.values(), ...helpers]) child.kill();
  for await (const keys of redis.scanStream({ match: `{${NAMESPACE}.*`, count: 1000 }))
    if (keys.length > 0) await redis.unlink(...keys);
  await redis.quit();
  await Promise.all([redisService.stop(), postgres.stop()]);
}

const results = judge(arms, runs);
console.log(printTable(results, rates));
if (!flags.quick && flags.only === undefined)
  writeFileSync(here('RESULTS-writes.md'), writeMarkdown(results, rates, machine, plan));

async function start(arm, role) {
  const job = {
    arm: arm.name,
    role,
    namespace: `${NAMESPACE}.${arm.name}`,
    schema: `bench_${arm.name}`,
    redisUrl: redisService.url,
    databaseUrl: postgres.url,
  };
  const child = fork(here('writer.mjs'), [JSON.stringify(job)], { env: { ...process.env, NODE_ENV: 'production' } });
  const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${arm.name} ended with ${code}`)));
  await Promise.race([once(child, 'message'), failed]);
  failed.catch(() => undefined);
  return child;
}

async function order(child, what) {
  const answer = once(child, 'message');
  child.send(what);
  const [{ result, error }] = await answer;
  if (error !== undefined) throw new Error(error);
  return result;
}

async function stop(child) {
  const gone = once(child, 'exit');
  const told = once(child, 'message').then(([{ error }]) => Promise.reject(new Error(error)));
  told.catch(() => undefined);
  child.send({ do: 'exit' });
  await Promise.race([gone, told]);
}

async function redisVersion() {
  return /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
}

/** What decides how long a COMMIT takes. */
async function serverFacts() {
  const client = new pg.Client(postgres.url);
  await client.connect();
  const show = async (name) => (await client.query(`SHOW ${name}`)).rows[0][name];
  const facts = `${await show('server_version')}, fsync ${await show('fsync')}, synchronous_commit ${await show('synchronous_commit')}, over loopback`;
  await client.end();
  return [['PostgreSQL', facts]];
}

function say(step) {
  process.stderr.write(`\r${step}`.padEnd(60));
}
