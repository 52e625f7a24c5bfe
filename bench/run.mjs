// Measures hits, misses and growth against bare Express and other caches: `npm run bench`.
//
//   npm run bench                    everything, writes bench/RESULTS.md and its plots (about an hour)
//   npm run bench -- --quick         50 kB only, fewer and shorter bursts, prints only (about four minutes)
//   npm run bench -- --only=memory   some arms with their floors, prints only; names are in arms.mjs; `growth` is one
//   npm run bench -- --size=2        one size in kB, prints only
//   npm run bench -- --profile       CPU profile of every server in bench/out, prints only
//
// Redis: REDIS_URL, or a server of its own. The other caches are installed into bench/peers on the first run.
//
// How: every arm is one application in a process of its own (server.mjs), so that no arm profits or suffers from
// what another has done to the JIT. The load generator (load.mjs, autocannon) is another process on another core. A
// round measures a floor and its arms; they take turns in short slices, so that what else the machine does meets all of
// them. What counts is the ratio inside a round: CPU time per request of the floor's server process (user and system,
// all its threads) divided by that of the arm's. After a few rounds all servers are started anew, because two starts of
// one program differ, too. Redis's own time is not in these figures. Throughput and latencies depend on the load
// generator as well, and stand beside. What grows with the number of entries and tags is measured by growth.mjs.
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { provideRedis, startRedis } from '../test/support/redis-service.mjs';
import { ARMS, CONNECTIONS, QUICK_SIZE, SIZES } from './arms.mjs';
import { measureGrowth } from './growth.mjs';
import { installPeers, peerVersions } from './install-peers.mjs';
import { judge } from './judge.mjs';
import { Measurement } from './measurement.mjs';
import { cores, describeCores, start } from './processes.mjs';
import { plotGrowth, plotRatios } from './plot.mjs';
import { describeMachine, printAims, printGrowth, printTable, writeMarkdown } from './report.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const NAMESPACE = `bench-${process.pid}`;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    only: { type: 'string' },
    size: { type: 'string' },
    rounds: { type: 'string' },
  },
});
const partial = Object.entries(flags).some(([, value]) => value !== false);
const plan = flags.quick
  ? { starts: 1, rounds: 3, warmUpRequests: 6_000, slices: 2, seconds: 0.2, profile: flags.profile }
  : { starts: 2, rounds: 3, warmUpRequests: 40_000, slices: 4, seconds: 0.25, profile: flags.profile };
if (flags.rounds !== undefined) plan.rounds = Number(flags.rounds);

if (!existsSync(here('../dist/esm/index.js'))) {
  console.error('There is no dist/esm: run `npm run build` first.');
  process.exit(1);
}

const named = flags.only?.split(',');
const wanted = (name) => named === undefined || named.includes(name);
const cases = chooseCases();
const withGrowth = wanted('growth') && flags.size === undefined && !flags.profile;
if (withGrowth || cases.some(({ arm }) => arm.peer !== undefined)) installPeers();
const service = await (process.env.REDIS_URL ? provideRedis() : startRedis().catch(() => provideRedis()));
const redis = new Redis(service.url, { maxRetriesPerRequest: 1 });
redis.on('error', () => undefined);
const machine = describeMachine({
  packages: [
    ['Express', 'express'],
    ['ioredis', 'ioredis'],
    ['autocannon', 'autocannon'],
  ],
  more: [
    ...Object.entries(peerVersions()),
    ['Redis', `${/redis_version:(\S+)/.exec(await redis.info('server'))?.[1]}, over loopback`],
    ['Cores', describeCores()],
  ],
});
const load = start('load.mjs', { core: cores.load });
const measurement = new Measurement(cases, plan, load, { namespace: NAMESPACE, redisUrl: service.url }, say);
let results = [];
let growth = [];
try {
  results = judge(cases, await measurement.run());
  for (const [arm, reason] of measurement.skipped) console.log(`LEFT OUT: ${arm}. ${reason}`);
  if (withGrowth)
    growth = await measureGrowth({ quick: flags.quick, redisUrl: service.url, namespace: NAMESPACE, say });
} finally {
  say('');
  load.send({ do: 'exit' });
  await removeKeys();
  await redis.quit();
  await service.stop();
}

console.log([printTable(results), printAims(results), printGrowth(growth)].join('\n\n'));
if (!partial) {
  writeFileSync(here('RESULTS.md'), writeMarkdown(results, growth, machine, plan, measurement.skipped));
  writeFileSync(here('results.svg'), plotRatios(results));
  writeFileSync(here('growth.svg'), plotGrowth(growth));
}

function say(step) {
  process.stderr.write(`\r${step.padEnd(70)}${step === '' ? '\r' : ''}`);
}

function chooseCases() {
  const chosen = ARMS.filter(
    ({ name, fullRunOnly }) =>
      (wanted(name) || ARMS.some((arm) => arm.floor === name && wanted(arm.name))) && !(flags.quick && fullRunOnly),
  );
  const smallest = Math.min(...Object.values(SIZES));
  return Object.entries(SIZES)
    .filter(([size]) => (flags.size === undefined ? !flags.quick || size === QUICK_SIZE : size === `${flags.size} kB`))
    .flatMap(([size, bytes]) =>
      chosen
        .filter((arm) => !arm.smallOnly || bytes === smallest)
        .map((arm) => ({ arm, size, bytes, connections: arm.connections ?? CONNECTIONS })),
    );
}

/** What was not on a server of its own. */
async function removeKeys() {
  for await (const keys of redis.scanStream({ match: `*${NAMESPACE}*`, count: 1000 })) {
    if (keys.length > 0) await redis.unlink(...keys);
  }
}
