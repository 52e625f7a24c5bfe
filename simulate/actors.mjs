// Clients: readers and writers who send their requests one after the other, mostly to the same process.
import { AsyncResource } from 'node:async_hooks';
import { Reading } from './reading.mjs';
import { REPORTS, ROWS } from './reports.mjs';
import { Writing } from './writing.mjs';

/** @typedef {import('./simulation.mjs').World} World */
/** @typedef {import('./world/process.mjs').SimProcess} SimProcess */
/** @typedef {{ name: string, home: SimProcess | undefined, place: SimProcess | undefined, left: number, writes: boolean }} Actor */

export class Actors {
  /** @type {Actor[]} */
  #actors = [];
  #done = 0;
  #thinkMs;

  /** @param {World} world @param {number} thinkMs the longest pause between two requests */
  constructor(world, thinkMs) {
    this.world = world;
    this.#thinkMs = thinkMs;
  }

  get done() {
    return this.#done === this.#actors.length;
  }

  /** Their requests get no answer; the clients go on elsewhere. @param {SimProcess} process */
  leave(process) {
    for (const actor of this.#actors) if (actor.place === process) this.#next(actor);
  }

  /** @param {string} name @param {boolean} writes @param {number} left */
  enlist(name, writes, left) {
    /** @type {Actor} */
    const actor = { name, home: undefined, place: undefined, left, writes };
    this.#actors.push(actor);
    this.#next(actor);
  }

  /** Clients mostly stay where they are. @param {Actor} actor */
  #placeOf(actor) {
    if (actor.home === undefined || actor.home.dead || this.world.random.chance(0.2))
      actor.home = this.world.someProcess();
    return actor.home;
  }

  /** @param {Actor} actor */
  #next(actor) {
    actor.place = undefined;
    if (actor.left === 0) {
      this.#done += 1;
      return;
    }
    actor.left -= 1;
    const process = this.#placeOf(actor);
    actor.place = process;
    const lane = process.databaseLane(`${actor.name} at ${process.name}`);
    const begin = () => {
      const place = { process, lane, name: actor.name };
      const task = actor.writes ? this.#write(place) : this.#read(place);
      const over = () => {
        process.closeLane(lane);
        if (actor.place === process) this.#next(actor);
      };
      task.then(over, (error) => {
        this.world.trace?.(`${actor.name} failed: ${error}`);
        this.world.oracle.fail('error', String(error?.stack));
        over();
      });
    };
    const request = new AsyncResource('Request');
    const come = () =>
      this.world.scheduler.add(this.world.scheduler.lane(actor.name, process, true), 'begins', begin, request);
    const thinks = this.#thinkMs > 0 ? this.world.random.below(this.#thinkMs) : 0;
    if (thinks > 0) this.world.scheduler.after(process, thinks, come, `${actor.name} has thought`);
    else come();
  }
  /** @param {import('./reading.mjs').Place} place */
  #read(place) {
    const { random, settings } = this.world;
    const report = REPORTS[random.pick(['one', 'one', 'both', 'outer'])];
    const reading = new (this.world.variant.reading ?? Reading)(this.world, place);
    const consistency = random.pick(settings.consistency);
    this.world.trace?.(`              ${place.name} asks for ${report?.key} at ${place.process.name}, ${consistency}`);
    return reading.read(/** @type {import('./reports.mjs').Report} */ (report), consistency, {
      keepsSnapshot: random.chance(0.08),
      token: random.chance(0.3),
    });
  }

  /** @param {import('./reading.mjs').Place} place */
  #write(place) {
    const { random } = this.world;
    const writing = new (this.world.variant.writing ?? Writing)(this.world, place);
    const does = (/** @type {string} */ fault, /** @type {number} */ chance) => {
      const happens = this.world.faults.includes(fault) && random.chance(chance);
      if (happens) this.world.count(`fault ${fault}`);
      return happens;
    };
    return writing.write(random.pick([['r1'], ['r1'], ['r2'], ROWS]), {
      rollsBack: does('roll back', 0.3),
      losesReply: does('lose the commit reply', 0.3),
      behindTheBack: does('write behind the back', 0.3),
      autocommit: random.chance(0.2),
    });
  }
}
