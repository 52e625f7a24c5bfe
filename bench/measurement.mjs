// The rounds of a run: starts the servers of a floor and its arms, warms them up, and lets them take turns.
import { armOf, CONNECTIONS } from './arms.mjs';
import { ask, order, startServer, stop } from './processes.mjs';

const WARM_UP_STEP = 1000;
const LONGEST_WARM_UP_MS = 10_000;

export class Measurement {
  /** Arms that the library cannot be measured with, and why. */
  skipped = new Map();
  #cases;
  #plan;
  #load;
  #target;
  #say;
  #answers = new Map();
  /** Processes of this family, also those that failed: they end with it. */
  #started = [];

  /** @param {{ namespace: string, redisUrl: string }} target */
  constructor(cases, plan, load, target, say) {
    this.#cases = cases;
    this.#plan = plan;
    this.#load = load;
    this.#target = target;
    this.#say = say;
  }

  /** @returns the figures of every case in every round */
  async run() {
    const { starts, rounds } = this.#plan;
    const runs = [];
    for (let begin = 0; begin < starts; begin += 1) {
      for (const family of families(this.#cases)) {
        const servers = [];
        try {
          for (const one of family) {
            this.#say(`start ${begin + 1}/${starts}  ${one.arm.name} ${one.size}`);
            const server = await this.#warmServer(one).catch((error) => this.#leftOut(one, error));
            if (server !== undefined) servers.push({ one, server });
            // Its arms have nothing to be held against.
            else if (one === family[0]) break;
          }
          for (let round = 0; round < rounds; round += 1) {
            const number = begin * rounds + round + 1;
            this.#say(`round ${number}/${starts * rounds}  ${family[0].arm.name} ${family[0].size}`);
            for (const figures of await this.#takeTurns(servers)) runs.push({ round: number, ...figures });
          }
        } finally {
          for (const process of this.#started.splice(0)) await stop(process);
        }
      }
    }
    return runs;
  }

  /** One arm that fails does not end a run of an hour. */
  #leftOut({ arm, size }, error) {
    const [reason] = error.message.split('\n');
    this.skipped.set(`${arm.name} ${size}`, reason);
    return undefined;
  }

  /** A server that has compiled what it compiles, or nothing where the library lacks an option. */
  async #warmServer({ arm, size, bytes, connections }) {
    let answer;
    if (arm.copies !== undefined) {
      answer = await this.#answerOf(armOf(arm.copies), size, bytes);
      if (answer === undefined) return undefined;
    }
    const server = await this.#start({ arm: arm.name, size: bytes, connections, answer }, this.#plan.profile);
    if (server === undefined) return undefined;
    await this.#warmUp(await this.#filled(arm, server.port, connections));
    return server;
  }

  /** By requests, because by time the slow stay cold; the very slow would take for ever. */
  async #warmUp(job) {
    const started = performance.now();
    for (let asked = 0; asked < this.#plan.warmUpRequests; asked += WARM_UP_STEP) {
      if (performance.now() - started > LONGEST_WARM_UP_MS) return;
      await order(this.#load, { ...job, do: 'burst', requests: WARM_UP_STEP });
    }
  }

  async #start(job, profiled = false) {
    const server = await startServer({ ...job, ...this.#ownTarget(job) }, profiled);
    this.#started.push(server.process);
    if (server.lacks === undefined) return server;
    this.skipped.set(job.arm, server.lacks);
    await stop(server.process);
    return undefined;
  }

  #ownTarget({ arm, size }) {
    return { ...this.#target, namespace: `${this.#target.namespace}.${arm}.${size}` };
  }

  /** What a real answer of `arm` says and carries, without the fields that Node and Express add by themselves. */
  async #answerOf(arm, size, bytes) {
    const name = `${arm.name} ${size}`;
    if (this.#answers.has(name)) return this.#answers.get(name);
    const server = await this.#start({ arm: arm.name, size: bytes, connections: CONNECTIONS });
    let answer;
    if (server !== undefined) {
      const { shows, asks } = arm;
      const { headers: raw, body } = await order(this.#load, {
        do: 'prime',
        port: server.port,
        connections: CONNECTIONS,
        shows,
        asks,
      });
      await stop(server.process);
      const headers = [];
      for (let at = 0; at < raw.length; at += 2) {
        if (!['Date', 'Connection', 'Keep-Alive', 'X-Powered-By'].includes(raw[at]))
          headers.push([raw[at], raw[at + 1]]);
      }
      answer = { headers, body };
    }
    this.#answers.set(name, answer);
    return answer;
  }

  /** Fills the cache, and says which requests are to follow. */
  async #filled({ shows, copies, asks }, port, connections) {
    const job = { port, connections, asks, shows: shows ?? (copies && armOf(copies).shows) };
    if (asks === 'unique') return { ...job, status: 200 };
    const { etag } = await order(this.#load, {
      ...job,
      do: 'prime',
      ...(asks === 'conditional' && { asks: undefined }),
    });
    return asks === 'conditional' ? { ...job, status: 304, etag } : { ...job, status: 200 };
  }

  /** A floor and what is held against it, in turns. */
  async #takeTurns(servers) {
    const turns = [];
    for (const { one, server } of servers) {
      const job = await this.#filled(one.arm, server.port, one.connections);
      turns.push({ one, server, job, cpu: 0, system: 0, seconds: 0, latencies: [] });
    }
    for (let slice = 0; slice < this.#plan.slices; slice += 1) {
      for (const turn of turns) {
        const before = await ask(turn.server.process, 'usage');
        const done = await order(this.#load, { ...turn.job, do: 'burst', seconds: this.#plan.seconds });
        const after = await ask(turn.server.process, 'usage');
        checkHandler(turn.one.arm, after.handlerRuns - before.handlerRuns, done.latencies.length);
        const system = after.cpu.system - before.cpu.system;
        turn.system += system;
        turn.cpu += after.cpu.user - before.cpu.user + system;
        turn.seconds += done.seconds;
        turn.latencies.push(...done.latencies);
      }
    }
    return turns.map(figuresOf);
  }
}

/** Hits run no handler, misses nothing else. */
function checkHandler({ name, asks }, runs, requests) {
  if (asks === 'unique' ? runs < requests : runs > 0)
    throw new Error(`${name}: the handler ran ${runs} times in ${requests} requests.`);
}

function figuresOf({ one, cpu, system, seconds, latencies }) {
  latencies.sort((a, b) => a - b);
  const requests = latencies.length;
  if (requests === 0) throw new Error(`${one.arm.name}: no answer in ${seconds} s.`);
  const quantile = (share) => latencies[Math.floor(requests * share)];
  return {
    ...one,
    cpu: cpu / requests,
    system: system / requests,
    rate: requests / seconds,
    p50: quantile(0.5),
    p99: quantile(0.99),
  };
}

/** Each floor of a size with its arms. */
function families(cases) {
  return cases
    .filter(({ arm }) => arm.floor === undefined)
    .map((floor) => [floor, ...cases.filter(({ arm, size }) => arm.floor === floor.arm.name && size === floor.size)]);
}
