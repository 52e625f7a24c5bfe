// Measures the hit paths against bare Express: `npm run bench`.
//
//   npm run bench                    all arms, writes bench/RESULTS.md and bench/results.svg (about ten minutes)
//   npm run bench -- --quick         fewer and shorter bursts, prints only (about two minutes)
//   npm run bench -- --only=memory   some arms with their floors, prints only; names are in arms.mjs
//   npm run bench -- --profile       CPU profile of every server in bench/out, prints only
//
// Redis: REDIS_URL, or whatever the tests would use; keys of its own are removed at the end.
//
// How: every arm is one Express application in a process of its own (server.mjs), so that no arm profits or suffers from
// what another has done to the JIT. The load generator (load.mjs, autocannon) is another process on another core. A
// round measures every arm; floor and arms take turns in short slices, so that what else the machine does meets all of
// them. What counts is the ratio inside a round: CPU time per request of the floor's server process (user and system,
// all its threads) divided by that of the arm's. After a few
// rounds all servers are started anew, because two starts of one program differ, too. Redis's own time is not in these
// figures. Throughput and latencies depend on the load generator as well, and stand beside.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { ARMS, CONNECTIONS, SIZES } from './arms.mjs';
import { provideRedis } from '../test/support/redis-service.mjs';
import { describeMachine, judge, printTable, writeMarkdown, writePlot } from './report.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const NAMESPACE = `bench-${process.pid}`;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
  },
});
const partial = flags.quick || flags.profile || flags.only !== undefined || flags.rounds !== undefined;
const plan = flags.quick
  ? { starts: 1, rounds: 3, warmUpRequests: 12_000, slices: 4, seconds: 0.25 }
  : { starts: 3, rounds: 3, warmUpRequests: 40_000, slices: 8, seconds: 0.25 };
if (flags.rounds !== undefined) plan.rounds = Number(flags.rounds);

if (!existsSync(here('../dist/esm/index.js'))) {
  console.error('There is no dist/esm: run `npm run build` first.');
  process.exit(1);
}

const cores = pinning();
const cases = chooseCases();
const service = await provideRedis();
const redis = new Redis(service.url, { maxRetriesPerRequest: 1 });
redis.on('error', () => undefined);
const redisVersion = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
const machine = describeMachine({
  packages: [
    ['Express', 'express'],
    ['ioredis', 'ioredis'],
    ['autocannon', 'autocannon'],
  ],
  more: [
    ['Redis', `${redisVersion}, over loopback`],
    [
      'Cores',
      cores.server === undefined
        ? 'not pinned'
        : `server on ${cores.server}, load on ${cores.load}, Redis on whichever is free`,
    ],
  ],
});
const load = start('load.mjs', [], cores.load);
const runs = [];
const known = new Map();
const servers = new Map();
try {
  for (let begin = 0; begin < plan.starts; begin += 1) {
    for (const one of cases) {
      say(`start ${begin + 1}/${plan.starts}`, one);
      servers.set(one, await warmServer(one));
    }
    for (let round = 0; round < plan.rounds; round += 1) {
      const number = begin * plan.rounds + round + 1;
      for (const family of families(cases)) {
        say(`round ${number}/${plan.starts * plan.rounds}`, family[0]);
        for (const figures of await takeTurns(family)) runs.push({ round: number, ...figures });
      }
    }
    for (const one of cases) await stop(servers.get(one).process);
    servers.clear();
  }
} finally {
  process.stderr.write('\r'.padEnd(60) + '\r');
  for (const { process: child } of servers.values()) child.kill();
  load.send({ do: 'exit' });
  await removeKeys();
  await redis.quit();
  await service.stop();
}

const results = judge(cases, runs);
console.log(printTable(results));
if (!partial) {
  writeFileSync(here('RESULTS.md'), writeMarkdown(results, machine, plan));
  writeFileSync(here('results.svg'), writePlot(results));
}

/** A server that has compiled what it compiles. */
async function warmServer({ arm, size, bytes, connections }) {
  const like = ARMS.find(({ name }) => name === arm.copies);
  const headers = like === undefined ? [] : await headersOf(like, size, bytes);
  const server = await startServer({ arm: arm.name, size: bytes, connections, headers });
  await order({ ...(await filled(arm, server.port, connections)), do: 'burst', requests: plan.warmUpRequests });
  return server;
}

/** Fills the cache, and says which requests are to follow. */
async function filled(arm, port, connections) {
  const shows = arm.shows ?? ARMS.find(({ name }) => name === arm.copies).shows;
  const { etag } = await order({ do: 'prime', port, connections, shows, conditional: false });
  return { port, connections, shows, ...(arm.conditional ? { status: 304, etag } : { status: 200 }) };
}

/** A floor and what is held against it, in turns. */
async function takeTurns(family) {
  const turns = [];
  for (const one of family) {
    const server = servers.get(one);
    const job = await filled(one.arm, server.port, one.connections);
    turns.push({ one, server, job, cpu: 0, system: 0, seconds: 0, latencies: [] });
  }
  for (let slice = 0; slice < plan.slices; slice += 1) {
    for (const turn of turns) {
      const before = await ask(turn.server.process);
      const done = await order({ ...turn.job, do: 'burst', seconds: plan.seconds });
      const after = await ask(turn.server.process);
      if (after.handlerRuns !== before.handlerRuns) throw new Error(`${turn.one.arm.name}: the handler ran.`);
      const system = after.cpu.system - before.cpu.system;
      turn.system += system;
      turn.cpu += after.cpu.user - before.cpu.user + system;
      turn.seconds += done.seconds;
      turn.latencies.push(...done.latencies);
    }
  }
  return turns.map(({ one, cpu, system, seconds, latencies }) => {
    latencies.sort((a, b) => a - b);
    const requests = latencies.length;
    const quantile = (share) => latencies[Math.floor(requests * share)];
    return {
      ...one,
      cpu: cpu / requests,
      system: system / requests,
      rate: requests / seconds,
      p50: quantile(0.5),
      p99: quantile(0.99),
    };
  });
}

/** Each floor of a size with its arms. */
function families(all) {
  return all
    .filter(({ arm }) => arm.floor === undefined)
    .map((floor) => [floor, ...all.filter(({ arm, size }) => arm.floor === floor.arm.name && size === floor.size)]);
}

/** The header fields of a real answer of `arm`, without those that Node and Express add by themselves. */
async function headersOf(arm, size, bytes) {
  const name = `${arm.name} ${size}`;
  if (known.has(name)) return known.get(name);
  const server = await startServer({ arm: arm.name, size: bytes, connections: CONNECTIONS, headers: [] }, false);
  const { shows, conditional = false } = arm;
  const job = { do: 'prime', port: server.port, connections: CONNECTIONS, shows, conditional };
  const { headers: raw } = await order(job);
  await stop(server.process);
  const headers = [];
  for (let at = 0; at < raw.length; at += 2) {
    if (!['Date', 'Connection', 'Keep-Alive', 'X-Powered-By'].includes(raw[at])) headers.push([raw[at], raw[at + 1]]);
  }
  known.set(name, headers);
  return headers;
}

async function startServer(job, profiled = flags.profile) {
  const argument = JSON.stringify({ ...job, namespace: `${NAMESPACE}.${job.arm}.${job.size}`, redisUrl: service.url });
  if (profiled) mkdirSync(here('out'), { recursive: true });
  const profile = ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-name=${job.arm}-${job.size}.cpuprofile`];
  const child = start(
    'server.mjs',
    [argument],
    cores.server,
    profiled ? [...profile, `--cpu-prof-dir=${here('out')}`] : [],
  );
  const [{ port }] = await once(child, 'message');
  return { port, process: child };
}

function say(step, { arm, size }) {
  process.stderr.write(`\r${step}  ${arm.name} ${size}`.padEnd(60));
}

async function ask(child) {
  const answer = once(child, 'message');
  child.send('usage');
  return (await answer)[0];
}

async function order(job) {
  const answer = once(load, 'message');
  load.send(job);
  const [{ result, error }] = await answer;
  if (error !== undefined) throw new Error(error);
  return result;
}

async function stop(child) {
  const gone = once(child, 'exit');
  child.send('stop');
  await gone;
}

function start(file, args, core, execArgv = []) {
  const env = { ...process.env, NODE_ENV: 'production' };
  if (core === undefined) return fork(here(file), args, { execArgv, env });
  const command = ['-c', String(core), process.execPath, ...execArgv, here(file), ...args];
  return spawn('taskset', command, { env, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
}

/** Server and load generator each on a core of their own, where the machine has two and `taskset`. */
function pinning() {
  const found = (process.env.PATH ?? '').split(':').some((folder) => existsSync(`${folder}/taskset`));
  return found && os.availableParallelism() >= 2 ? { server: 0, load: 1 } : {};
}

function chooseCases() {
  const named = flags.only?.split(',');
  const wanted = (name) => named === undefined || named.includes(name);
  const chosen = ARMS.filter(
    ({ name, fullRunOnly }) =>
      (wanted(name) || ARMS.some((arm) => arm.floor === name && wanted(arm.name))) && !(flags.quick && fullRunOnly),
  );
  return Object.entries(SIZES).flatMap(([size, bytes]) =>
    chosen
      .filter((arm) => !arm.smallOnly || bytes === Math.min(...Object.values(SIZES)))
      .map((arm) => ({ arm, size, bytes, connections: arm.connections ?? CONNECTIONS })),
  );
}

async function removeKeys() {
  for await (const keys of redis.scanStream({ match: `{${NAMESPACE}.*`, count: 1000 })) {
    if (keys.length > 0) await redis.unlink(...keys);
  }
}
