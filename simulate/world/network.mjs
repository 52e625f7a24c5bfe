// The connection of one process to Redis: an ioredis client, as far as the library uses it.
import { execute, NAMES } from '../redis/commands.mjs';
import { Subscriber } from './subscriber.mjs';

/** @typedef {import('../../src/contract/redis-like.js').RedisLike} RedisLike */
/** @typedef {import('../redis/script.mjs').Argument} Argument */
/** @typedef {import('../redis/server.mjs').RedisServer} RedisServer */
/** @typedef {import('../scheduler.mjs').Lane} Lane */
/** @typedef {import('../scheduler.mjs').Scheduler} Scheduler */
/** @typedef {{ command: string, args: readonly Argument[], settle: (result: unknown) => void }} Command */

const LOST = 'Connection is closed.';

/** Everything between one process and the Redis server that it takes for the master. */
export class RedisLink {
  /** @type {RedisServer} */
  server;
  /** @type {Subscriber[]} */
  subscribers = [];
  /** @type {Client | undefined} */
  client;
  broken = false;

  /**
   * @param {Scheduler} scheduler
   * @param {import('./process.mjs').SimProcess} process
   * @param {RedisServer} server
   * @param {import('../redis/script.mjs').ScriptClass} scriptClass
   */
  constructor(scheduler, process, server, scriptClass) {
    this.scheduler = scheduler;
    this.process = process;
    this.server = server;
    this.scriptClass = scriptClass;
    this.requests = scheduler.lane(`${process.name} to Redis`);
    /** Commands of a broken connection that are executed all the same; nobody hears of it. */
    this.ghosts = scheduler.lane(`${process.name} to Redis, given up`);
    this.replies = scheduler.lane(`Redis to ${process.name}`, process);
    this.pushes = scheduler.lane(`push to ${process.name}`, process);
    /** @type {Set<Command>} */
    this.open = new Set();
  }

  /** @param {readonly Omit<Command, 'settle'>[]} commands @returns {Promise<unknown[]>} results; errors are values */
  send(commands, together = true) {
    return new Promise((resolve) => {
      /** @type {unknown[]} */
      const results = [];
      let missing = commands.length;
      const sent = commands.map(({ command, args }, at) => ({
        command,
        args,
        settle: (/** @type {unknown} */ result) => {
          results[at] = result;
          missing -= 1;
          if (missing === 0) resolve(results);
        },
      }));
      for (const one of sent) this.open.add(one);
      if (this.broken) return;
      const batches = together ? [sent] : sent.map((one) => [one]);
      for (const batch of batches) this.#request(batch);
    });
  }

  /** @param {readonly Command[]} batch */
  #request(batch) {
    const { server } = this;
    this.scheduler.add(
      this.requests,
      () => batch.map(label).join(', '),
      () => {
        const results = batch.map(({ command, args }) =>
          execute(server, this.scriptClass, command, args, (name, script, reply) =>
            this.process.world.executed(server, name, script, reply),
          ),
        );
        const text = () => results.map(show).join(' | ');
        this.scheduler.trace?.(`              ${server.name} answers ${text()}`);
        if (batch.every((command) => this.open.has(command)))
          this.scheduler.add(this.replies, text, () => this.#settle(batch, results));
      },
    );
  }

  /** @param {readonly Command[]} batch @param {readonly unknown[]} results */
  #settle(batch, results) {
    for (const [at, command] of batch.entries()) if (this.open.delete(command)) command.settle(results[at]);
  }

  /**
   * The connection breaks: what was sent may or may not be executed, and what was answered is lost. Until the process
   * hears of it, it writes to a dead connection.
   * @param {boolean} [gone] the server itself has ended, and with it everything that was under way to it
   */
  breakDown(gone = false) {
    const { random } = this.scheduler;
    for (const request of this.requests.waiting)
      if (random.chance(0.5)) this.scheduler.add(this.ghosts, request.label, request.run);
    if (gone) this.ghosts.waiting = [];
    this.requests.waiting = [];
    this.replies.waiting = [];
    for (const subscriber of this.subscribers) subscriber.drop();
    this.broken = true;
    this.scheduler.add(this.replies, 'connection lost', () => {
      this.broken = false;
      const lost = [...this.open];
      this.open.clear();
      this.client?.closed();
      for (const command of lost) command.settle(new Error(LOST));
    });
  }

  /** @param {RedisServer} server */
  moveTo(server) {
    this.breakDown();
    this.server = server;
  }

  /** @param {boolean} held */
  cut(held) {
    for (const lane of [this.requests, this.replies, this.pushes]) lane.held = held;
  }

  close() {
    for (const subscriber of this.subscribers) subscriber.silence();
  }
}

/** @param {Command} command */
function label({ command, args }) {
  const [first, count, ...rest] = args;
  const text = command.startsWith('eval') ? rest.slice(Number(count) + 3) : [first, count];
  return `${command.startsWith('eval') ? scriptName(String(first)) : command} ${text.map((one) => String(one).slice(0, 60)).join(' ')}`;
}

const scriptName = (/** @type {string} */ text) => NAMES.get(text)?.toUpperCase() ?? 'script with its text';

/** @param {unknown} result */
function show(result) {
  if (result instanceof Error) return result.message;
  return Array.isArray(result) ? `[${result.map((one) => String(one).slice(0, 40)).join(' ')}]` : String(result);
}

/** @implements {RedisLike} */
export class Client {
  status = 'ready';
  options = {};
  /** @type {(() => void)[]} */
  #onClose = [];

  /** @param {RedisLink} link */
  constructor(link) {
    this.link = link;
    link.client = this;
  }

  /** @param {string} event @param {() => void} listener */
  on(event, listener) {
    if (event === 'close') this.#onClose.push(listener);
    return this;
  }

  /** @param {string} event @param {() => void} listener */
  off(event, listener) {
    if (event === 'close') this.#onClose = this.#onClose.filter((other) => other !== listener);
    return this;
  }

  closed() {
    for (const listener of this.#onClose) listener();
  }

  /** @param {string} command @param {Argument[]} args */
  async call(command, ...args) {
    const [result] = await this.link.send([{ command, args }]);
    if (result instanceof Error) throw result;
    return result;
  }

  pipeline() {
    /** @type {Omit<Command, 'settle'>[]} */
    const commands = [];
    const { link } = this;
    return {
      /** @param {string} command @param {Argument[]} args */
      call(command, ...args) {
        commands.push({ command, args });
        return this;
      },
      /** @param {string} key @param {string[]} fields */
      hmgetBuffer(key, ...fields) {
        commands.push({ command: 'hmget', args: [key, ...fields] });
        return this;
      },
      /** @returns {Promise<[Error | null, unknown][]>} */
      async exec() {
        // Other clients' commands may come between those of a pipeline.
        const results = await link.send(commands, link.scheduler.random.chance(0.7));
        return results.map((result) => (result instanceof Error ? [result, undefined] : [null, result]));
      },
    };
  }

  duplicate() {
    const subscriber = new Subscriber(this.link);
    this.link.subscribers.push(subscriber);
    return subscriber;
  }
}
