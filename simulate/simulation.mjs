// One interleaving: a small world from a seed, run step by step until everybody is done, with every answer checked.
import { Actors } from './actors.mjs';
import { giveUpContexts } from './contexts.mjs';
import { FAULTS } from './faults.mjs';
import { Oracle } from './oracle.mjs';
import { createRandom } from './random.mjs';
import { NAMES } from './redis/commands.mjs';
import { RedisServer } from './redis/server.mjs';
import { Scheduler, settled } from './scheduler.mjs';
import { decode, ROWS } from './reports.mjs';
import { Database } from './world/database.mjs';
import { SimProcess } from './world/process.mjs';

/** @typedef {import('./oracle.mjs').Versions} Versions */
/** @typedef {import('./settings.mjs').Settings} Settings */
/** @typedef {import('./variant.mjs').Variant} Variant */

const MOST_STEPS = 800;

export class World {
  /** @type {Map<string, number>} */
  counts = new Map();
  /** @type {SimProcess[]} */
  processes = [];
  isSplit = false;
  /** Deadlines of marks, by id. @type {Map<string, number>} */
  marks = new Map();
  /** Which sweeper works on which outbox row. @type {Map<string, SimProcess>} */
  locks = new Map();
  /** Up to which id of the outbox somebody has swept. */
  lastSwept = 0;
  /** What a snapshot on disk, or a replica, holds. @type {ReturnType<RedisServer['copy']> | undefined} */
  saved = undefined;
  /** What a client may bring back with his next request. @type {{ position: import('../src/contract/entry.js').Position, versions: Versions } | undefined} */
  lastAnswer = undefined;
  #servers = 0;
  #processes = 0;
  /** @type {Map<SimProcess, Set<import('./world/database.mjs').Transaction>>} */
  #open = new Map();
  /** @type {(() => void)[]} */
  #ends = [];

  /** @param {number} seed @param {Settings} settings @param {Variant} variant @param {(line: string) => void} [trace] */
  constructor(seed, settings, variant, trace) {
    this.random = createRandom(seed);
    this.settings = settings;
    this.variant = variant;
    this.trace = trace;
    const { random } = this;
    this.scheduler = new Scheduler(random, random.pick([0.001, 0.005, 0.03]), random.pick([1, 1, 4, 12]), trace);
    const clock = () => this.scheduler.now;
    this.oracle = new Oracle(ROWS, this.settings, clock, (what) => this.count(what));
    this.database = new Database(ROWS, clock);
    this.faultChance = random.pick(settings.focused ? [0.01, 0.05] : [0, 0.01, 0.05]);
    // A few at a time: with all of them at once nothing would ever be stored.
    this.faults = settings.faults.filter(() => settings.focused || random.chance(0.3));
    // A replica shows a commit later than the primary, whatever the cache does.
    this.replicas = random.chance(0.2) && !settings.inversions;
    this.endChance = random.pick([0.005, 0.03]);
    this.actors = new Actors(this, random.pick(settings.durable ? [0, 50, 200] : [0, 0, 50]));
    this.leapChance = random.pick(settings.focused ? [0, 0.003, 0.03] : [0, 0, 0.003, 0.01]);
    this.master = this.addServer();
    if (random.chance(0.9)) for (const sha of NAMES.keys()) this.master.loaded.add(sha);
    if (this.settings.durable && random.chance(0.95)) this.#adopted();
    this.save();
    const processes = random.between(settings.focused ? 1 : 2, 3);
    for (let at = 0; at < processes; at += 1) this.startProcess();
    const readers = random.between(2, 4);
    const writers = random.between(1, 2);
    for (let at = 1; at <= readers; at += 1)
      this.actors.enlist(`reader ${at}`, false, random.between(2, settings.longest));
    for (let at = 1; at <= writers; at += 1) this.actors.enlist(`writer ${at}`, true, random.between(1, 3));
  }

  /** @param {string} what */
  count(what) {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  addServer() {
    this.#servers += 1;
    const server = new RedisServer(`Redis ${this.#servers}`, () => this.scheduler.now);
    server.refusesInfo = this.settings.refusesInfo;
    return server;
  }

  /** A cache that has been running for a while. */
  #adopted() {
    const { master, database } = this;
    const { incarnation } = database;
    database.change({ state: { generation: 1, epoch: 'adopted', seq: 1, incarnation, sweptAt: 0 } });
    master.hset('{ns}:t', [
      ['!ep', 'adopted'],
      ['!inc', master.replicationId],
      ['!seq', 1],
      ['!floor', 1],
      ['!born', master.now - 10_000],
      ['!live', master.now],
      ['!lambda', this.settings.lambdaMs],
      ['!gen', 1],
    ]);
  }

  someTimePasses() {
    if (this.random.chance(0.7)) this.scheduler.leap(this.random.between(20, 400));
  }

  save() {
    this.saved = this.master.copy();
  }

  startProcess() {
    this.#processes += 1;
    const process = new SimProcess(this, `P${this.#processes}`, this.master);
    this.processes.push(process);
    if (this.settings.durable) process.startSweeper();
    return process;
  }

  someProcess() {
    return this.random.pick(this.processes);
  }

  /** @param {SimProcess} process */
  crash(process) {
    process.crash();
    this.processes = this.processes.filter((other) => other !== process);
    this.startProcess();
    this.actors.leave(process);
  }

  // Database

  /** @param {SimProcess} process */
  beginTransaction(process) {
    const transaction = this.database.begin();
    const open = this.#open.get(process) ?? new Set();
    this.#open.set(process, open.add(transaction));
    return transaction;
  }

  /** @param {SimProcess} process */
  rollBackOpen(process) {
    for (const transaction of this.#open.get(process) ?? []) this.database.rollback(transaction);
  }

  // What is observed

  /** @param {SimProcess} process @param {import('../src/contract/events.js').CacheEvent} event */
  heard(process, event) {
    if (event.kind !== 'hit' && event.kind !== 'miss') this.count(`event ${event.kind}`);
    // No statement of the outbox is refused here.
    if (event.kind === 'outboxFailed') this.oracle.fail('error', event.error);
    if (event.kind === 'miss') this.count(`miss ${event.reason}`);
    this.trace?.(`              ${process.name}: ${JSON.stringify(event)}`);
  }

  /** A script was executed. @param {RedisServer} server @param {string} name @param {import('./redis/script.mjs').Script} script @param {import('./redis/script.mjs').Reply} reply */
  executed(server, name, script, reply) {
    const history = `${server.name} ${script.epoch}`;
    if (name === 'bump') {
      const tags = script.args.slice(8).map(String);
      for (const row of ROWS)
        if (tags.includes(`row:${row}`) || tags.includes('*'))
          this.oracle.inForce(history, row, this.replicas ? script.lsn : undefined);
    } else if (name === 'mark') {
      this.marks.set(script.arg(4), this.scheduler.now + Number(script.arg(5)));
    } else if (name === 'put') {
      // Where INFO is refused, what is stored in a history that has been lost is never believed.
      if (reply[5] === 'stored' && !this.settings.refusesInfo)
        this.oracle.stored(history, decode(/** @type {Buffer} */ (script.args[8])));
    }
  }

  // The run

  async run() {
    const { random, scheduler } = this;
    await settled();
    while (!this.actors.done && scheduler.steps < MOST_STEPS && !this.oracle.violation) {
      // What a broken variant is about, soon enough to see what comes of it.
      if (this.settings.focused && scheduler.steps === 20 && random.chance(0.5)) this.#fault();
      if (this.faultChance > 0 && random.chance(this.faultChance)) this.#fault();
      if (this.#ends.length > 0 && random.chance(this.endChance)) this.#endFault();
      if (this.leapChance > 0 && random.chance(this.leapChance)) this.someTimePasses();
      if (random.chance(0.02)) this.save();
      if (this.replicas && random.chance(0.1)) this.database.replay(random.between(1, 2));
      // What is left waits for a fault to end.
      if (!scheduler.step()) {
        if (this.#ends.length === 0) break;
        this.#endFault();
      }
      await settled();
    }
    giveUpContexts();
    return this;
  }

  #endFault() {
    this.trace?.('              a fault ends');
    this.#ends.splice(this.random.below(this.#ends.length), 1)[0]?.();
  }

  #fault() {
    if (this.faults.length === 0) return;
    const name = this.random.pick(this.faults);
    const fault = FAULTS[name];
    if (fault === undefined) return;
    this.trace?.(`              FAULT: ${name}`);
    const end = fault(this);
    if (end === false) return;
    this.count(`fault ${name}`);
    if (end) this.#ends.push(end);
  }
}
