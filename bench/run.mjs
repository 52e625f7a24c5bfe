// Measures hits, misses and growth against bare Express and other caches: `npm run bench`.
//
//   npm run bench                    everything (about an hour); writes RESULTS.md and RESULTS-growth.md with their plots
//   npm run bench -- --part=hits     only what requests cost, or only `growth`; writes its page
//   npm run bench -- --starts=1      each server started so many times (2 by itself)
//   npm run bench -- --quick         50 kB only, fewer and shorter bursts, prints only (about four minutes)
//   npm run bench -- --only=memory   some arms with their floors, prints only; names are in arms.mjs
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
import { describeMachine, printAims, printGrowth, printTable, writeGrowth, writeHits } from './report.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const NAMESPACE = `bench-${process.pid}`;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    only: { type: 'string' },
    size: { type: 'string' },
    rounds: { type: 'string' },
    starts: { type: 'string' },
    part: { type: 'string' },
  },
});
if (flags.part !== undefined && !['hits', 'growth'].includes(flags.part)) {
  console.error(`There is no part "${flags.part}": hits or growth.`);
  process.exit(1);
}
/** Pages are written of whole parts only. */
const writesPages = !flags.quick && !flags.profile && [flags.only, flags.size, flags.rounds].every((flag) => !flag);
const plan = flags.quick
  ? { starts: 1, rounds: 3, warmUpRequests: 6_000, slices: 2, seconds: 0.2, profile: flags.profile }
  : { starts: 2, rounds: 3, warmUpRequests: 40_000, slices: 4, seconds: 0.25, profile: flags.profile };
if (flags.rounds !== undefined) plan.rounds = Number(flags.rounds);
if (flags.starts !== undefined) plan.starts = Number(flags.starts);

if (!existsSync(here('../dist/esm/index.js'))) {
  console.error('There is no dist/esm: run `npm run build` first.');
  process.exit(1);
}

const named = flags.only?.split(',');
const wanted = (name) => named === undefined || named.includes(name);
const cases = flags.part === 'growth' ? [] : chooseCases();
const withGrowth = flags.part !== 'hits' && named === undefined && flags.size === undefined && !flags.profile;
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
try {
  // A page each, as soon as it is measured: what fails later, after most of an hour, must not take it along.
  if (cases.length > 0) tellHits(judge(cases, await measurement.run()), measurement.skipped);
  if (withGrowth) tellGrowth(await measureGrowth({ quick: flags.quick, say }));
} finally {
  say('');
  load.send({ do: 'exit' });
  await removeKeys();
  await redis.quit();
  await service.stop();
}

function tellHits(results, skipped) {
  tellLeftOut(skipped);
  console.log([printTable(results), printAims(results)].join('\n\n'));
  if (!writesPages) return;
  writeFileSync(here('RESULTS.md'), writeHits(results, machine, plan, skipped));
  writeFileSync(here('results.svg'), plotRatios(results));
}

function tellGrowth({ rows, skipped }) {
  tellLeftOut(skipped);
  console.log(printGrowth(rows));
  if (!writesPages) return;
  writeFileSync(here('RESULTS-growth.md'), writeGrowth(rows, machine, skipped));
  writeFileSync(here('growth.svg'), plotGrowth(rows));
}

function tellLeftOut(skipped) {
  say('');
  for (const [name, reason] of skipped) console.log(`LEFT OUT: ${name}. ${reason}`);
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
