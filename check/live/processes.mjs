// The processes under check: started, asked over IPC, paused, killed and started again.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('process.mjs', import.meta.url));
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 5_000;

/** The process died before it answered. */
export class Gone extends Error {}

/** One place for a process; after a kill another one takes it. */
export class Slot {
  index;
  /** How often it was started. */
  incarnation = 0;
  /** Whether it can be asked. A paused one can: its answer comes later. */
  alive = false;
  /** Stopped by a signal: answers come when it goes on. */
  paused = false;
  #env;
  #script;
  #execArgv;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  /** @type {Map<number, { resolve: (answer: any) => void, reject: (error: Error) => void }>} */
  #asked = new Map();
  #questions = 0;
  #said = '';

  /**
   * @param {number} index
   * @param {() => NodeJS.ProcessEnv} env asked at every start
   * @param {{ script?: string, execArgv?: string[] }} [how]
   */
  constructor(index, env, { script = SCRIPT, execArgv = process.execArgv } = {}) {
    this.index = index;
    this.#env = env;
    this.#script = script;
    this.#execArgv = execArgv;
  }

  /** Its database connections carry this. */
  get name() {
    return `live-${this.index}-${this.incarnation}`;
  }

  /** The last lines it wrote. */
  get said() {
    return this.#said;
  }

  async start() {
    this.incarnation += 1;
    const env = { ...process.env, ...this.#env(), LIVE_NAME: this.name, LIVE_INDEX: String(this.index) };
    const child = fork(this.#script, { env, execArgv: this.#execArgv, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child = child;
    child.stderr?.on('data', (chunk) => (this.#said = (this.#said + chunk).slice(-4_000)));
    child.on('message', (/** @type {any} */ answer) => {
      this.#asked.get(answer.id)?.resolve(answer);
      this.#asked.delete(answer.id);
    });
    child.once('exit', () => this.#ended(child));
    const giveUp = AbortSignal.timeout(START_LIMIT_MS);
    const died = once(child, 'exit', { signal: giveUp }).then(() => {
      throw new Error(`Process ${this.name} ended while it was started:\n${this.#said}`);
    });
    died.catch(() => undefined);
    await Promise.race([once(child, 'message', { signal: giveUp }), died]);
    this.alive = true;
    this.paused = false;
  }

  /** @param {Record<string, unknown>} question @returns {Promise<any>} */
  ask(question) {
    const child = this.#child;
    if (!this.alive || !child?.connected) return Promise.reject(new Gone(`${this.name} is not there.`));
    const id = (this.#questions += 1);
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      child.send({ ...question, id }, (error) => {
        if (!error) return;
        this.#asked.delete(id);
        reject(new Gone(error.message));
      });
    });
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    this.paused = signal === 'SIGSTOP';
    this.#child?.kill(signal);
  }

  /** Resolves when it is dead. */
  async kill() {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async untilGone() {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async stop() {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.alive = false;
    const exited = once(child, 'exit');
    child.kill('SIGCONT');
    if (child.connected) child.disconnect();
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await exited;
    clearTimeout(late);
  }

  /** @param {import('node:child_process').ChildProcess} child */
  #ended(child) {
    if (child !== this.#child) return;
    this.alive = false;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of asked) reject(new Gone(`${this.name} died.`));
  }
}
