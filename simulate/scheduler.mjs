// What may happen next, and the seeded choice among it: the only source of order in the simulation.
/** @typedef {import('./random.mjs').Random} Random */
/** @typedef {{ readonly label: string | (() => string), readonly run: () => void, readonly context: Context | undefined }} Happening */
/** @typedef {{ runInAsyncScope(run: () => void): unknown }} Context an AsyncResource */
/** Whose things these are: what is paused does nothing, what is dead never will. @typedef {{ paused: boolean, dead: boolean }} Owner */

/** Speeds of lanes: some are slow beyond all reason, which uniform choices would hardly ever make them. */
const SPEEDS = [0.02, 0.2, 1, 1, 1, 5];

/** Nothing happens for longer: what waits for hours never comes. */
const LONGEST_PAUSE_MS = 500;

/** Things that happen in the order in which they were added, unless it shuffles: messages on one connection, turns of one process. */
export class Lane {
  /** @type {Happening[]} */
  waiting = [];
  /** Held: nothing comes through for now. */
  held = false;
  /** By how much the next one may overtake: 0 keeps the order. */
  shuffle = 0;

  /** @param {string} name @param {Owner | undefined} owner @param {number} speed @param {boolean} once */
  constructor(name, owner, speed, once) {
    this.once = once;
    this.name = name;
    this.owner = owner;
    this.speed = speed;
  }

  get ready() {
    return this.waiting.length > 0 && !this.held && this.owner?.paused !== true;
  }
}

/** @param {Happening} happening */
export const textOf = ({ label }) => (typeof label === 'string' ? label : label());

/** @typedef {{ at: number, readonly order: number, readonly owner: Owner, readonly task: () => void, readonly label: string }} Timer */

export class Scheduler {
  /** Milliseconds since the simulation began; every clock is made of it. */
  now = 0;
  steps = 0;
  /** @type {Lane[]} */
  #lanes = [];
  /** @type {Timer[]} */
  #timers = [];
  #timerOrder = 0;
  #timersSpeed = 1;

  /**
   * @param {Random} random
   * @param {number} hurry how readily time passes while things wait to happen
   * @param {number} slowest the longest step, ms
   * @param {((line: string) => void) | undefined} trace undefined: nobody reads it
   */
  constructor(random, hurry, slowest, trace) {
    this.random = random;
    this.hurry = hurry;
    this.slowest = slowest;
    this.trace = trace;
  }

  /** @param {string} name @param {Owner} [owner] @param {boolean} [once] for one thing only */
  lane(name, owner, once = false) {
    const lane = new Lane(name, owner, this.random.pick(SPEEDS), once);
    this.#lanes.push(lane);
    return lane;
  }

  /** @param {Lane} lane @param {string | (() => string)} label made only if somebody reads it @param {() => void} run @param {Context} [context] */
  add(lane, label, run, context) {
    if (lane.owner?.dead !== true) lane.waiting.push({ label, run, context });
  }

  /** @param {Owner} owner @param {number} ms @param {() => void} task @param {string} label */
  after(owner, ms, task, label) {
    this.#timerOrder += 1;
    const timer = { at: this.now + ms, order: this.#timerOrder, owner, task, label };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** The owner's monotonic clock stood still: its timers come later by as much. @param {Owner} owner @param {number} ms */
  delayTimers(owner, ms) {
    for (const timer of this.#timers) if (timer.owner === owner) timer.at += ms;
  }

  /** @param {Lane} lane */
  removeLane(lane) {
    this.#lanes = this.#lanes.filter((other) => other !== lane);
  }

  /** Everything of an owner that will not happen any more. @param {Owner} owner */
  forget(owner) {
    this.#lanes = this.#lanes.filter((lane) => lane.owner !== owner);
    this.#timers = this.#timers.filter((timer) => timer.owner !== owner);
  }

  /** From here on everything is quick and in order. */
  calmDown() {
    for (const lane of this.#lanes) {
      lane.speed = 1;
      lane.held = false;
      lane.shuffle = 0;
    }
    this.hurry = 0;
  }

  /** Everything stands still for a while. @param {number} ms */
  leap(ms) {
    this.now += ms;
    this.trace?.(`${this.#stamp()} nothing happened for ${ms} ms`);
  }

  /** Lets one thing happen, or time pass. @returns {boolean} false if nothing is left to happen */
  step() {
    this.steps += 1;
    const { random } = this;
    if (random.chance(0.05)) random.pick(this.#lanes).speed = random.pick(SPEEDS);
    if (random.chance(0.05)) this.#timersSpeed = random.pick(SPEEDS);
    const due = this.#due();
    let total = due === undefined ? 0 : this.#timersSpeed;
    for (const lane of this.#lanes) if (lane.ready) total += lane.speed;
    let chosen = random.next() * (total + (this.hurry > 0 || total === 0 ? Math.max(this.hurry, 0.001) : 0));
    if (total > 0) {
      for (const lane of this.#lanes) {
        if (!lane.ready) continue;
        chosen -= lane.speed;
        if (chosen < 0) {
          this.#happen(lane);
          return true;
        }
      }
      if (due !== undefined && chosen - this.#timersSpeed < 0) {
        this.#timers = this.#timers.filter((other) => other !== due);
        this.trace?.(`${this.#stamp()} timer: ${due.label}`);
        due.task();
        return true;
      }
    }
    return this.#pass();
  }

  /** @param {Lane} lane */
  #happen(lane) {
    const at = lane.shuffle > 0 ? this.random.below(Math.min(lane.waiting.length, lane.shuffle + 1)) : 0;
    const [happening] = lane.waiting.splice(at, 1);
    if (happening === undefined) return;
    if (lane.once) this.removeLane(lane);
    // Most steps take no time worth counting.
    if (this.random.chance(0.25)) this.now += this.random.between(1, this.slowest);
    this.trace?.(`${this.#stamp()} ${lane.name}: ${textOf(happening)}`);
    if (happening.context === undefined) happening.run();
    else happening.context.runInAsyncScope(happening.run);
  }

  /** The timer to fire next, if one is due. Timers of one process fire in their order. */
  #due() {
    let first;
    for (const timer of this.#timers) {
      if (timer.at > this.now || timer.owner.paused) continue;
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  }

  #pass() {
    let next = Infinity;
    for (const timer of this.#timers) if (timer.at > this.now && !timer.owner.paused) next = Math.min(next, timer.at);
    if (next === Infinity) return false;
    const { random } = this;
    const ms = Math.min(random.chance(0.6) ? next - this.now : random.between(1, 60), LONGEST_PAUSE_MS);
    this.now += ms;
    this.trace?.(`${this.#stamp()} ${ms} ms pass`);
    return true;
  }

  #stamp() {
    return `${String(this.steps).padStart(4)} ${String(this.now).padStart(6)} ms`;
  }
}

/** Lets everything run that waits for nothing but the current step. */
export const settled = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
