// One process of the application: the shipped cache over simulated connections and clocks.
import {
  Breaker,
  Cache,
  GuardedStore,
  Invalidations,
  MemoryStore,
  OwnClaims,
  RedisStore,
  Scopes,
  Sweeper,
  TagTable,
  TieredStore,
} from '../library.mjs';
import { Script } from '../redis/script.mjs';
import { WALL } from '../redis/server.mjs';
import { textOf } from '../scheduler.mjs';
import { Client, RedisLink } from './network.mjs';
import { SimOutboxDatabase, SimOutboxWriter } from './outbox.mjs';

/** @typedef {import('../simulation.mjs').World} World */
/** @typedef {import('../scheduler.mjs').Lane} Lane */
/** @typedef {import('../../src/contract/events.js').CacheEvent} CacheEvent */
/** @typedef {import('./database.mjs').Database} Database */

const MEMORY = { maxBytes: 1 << 22, maxBytesPerOwner: 1 << 22, maxTtlMs: 60_000 };
const MOST_TAGS = 1000;
const MOST_UNANSWERED = 1000;

/** What a broken variant may put in the place of the shipped classes. */
export const SHIPPED = { Cache, GuardedStore, Invalidations, MemoryStore, RedisStore, Scopes, TagTable, TieredStore };

/** @typedef {typeof SHIPPED} Parts */

export class SimProcess {
  paused = false;
  dead = false;
  /** By how much its wall clock is wrong, ms. */
  wallOffset = 0;
  /** For how long its monotonic clock has stood still, ms. */
  frozen = 0;
  /** The database cannot be reached: statements wait. */
  cutFromDatabase = false;
  /** @type {Set<Lane>} */
  #databaseLanes = new Set();

  /** @param {World} world @param {string} name @param {import('../redis/server.mjs').RedisServer} server */
  constructor(world, name, server) {
    this.world = world;
    this.name = name;
    this.settings = world.settings;
    const { scheduler } = world;
    const turns = scheduler.lane(`turn of ${name}`, this);
    /** @type {import('../../src/contract/clock.js').Clock} */
    this.clock = {
      now: () => WALL + scheduler.now + this.wallOffset,
      monotonic: () => scheduler.now - this.frozen,
      after: (ms, task) => scheduler.after(this, ms, task, `${name} after ${ms} ms`),
      nextTurn: (task) => scheduler.add(turns, 'next turn', task),
    };
    this.link = new RedisLink(scheduler, this, server, world.variant.script ?? Script);
    // The rest as `createReportCache` does.
    const { settings, clock } = this;
    const parts = { ...SHIPPED, ...this.world.variant.parts };
    const emit = (/** @type {CacheEvent} */ event) => this.world.heard(this, event);
    const inRedis = new parts.RedisStore(
      new Client(this.link),
      { namespace: 'ns', version: '1', maxTags: settings.mostTagsInRedis },
      clock,
      emit,
    );
    const guard = {
      deadlineMs: settings.deadlineMs,
      maxUnanswered: MOST_UNANSWERED,
      breaker: new Breaker(settings.breaker, world.random.next),
    };
    const guarded = new parts.GuardedStore(inRedis, guard, clock, emit);
    inRedis.onReady(() => guarded.reconnected());
    const memory = new parts.MemoryStore(new parts.TagTable('', MOST_TAGS), MEMORY, clock);
    const { leaseMs, overdueMs } = settings;
    const tiered = new parts.TieredStore(memory, guarded, { leaseMs, overdueMs }, clock, emit);
    tiered.follow(inRedis);
    if (settings.consistency.includes('barrier')) tiered.expectBarrier();
    if (settings.durable) inRedis.requireWatermark(settings.lambdaMs);
    this.redis = inRedis;
    this.store = tiered;
    this.invalidations = new parts.Invalidations(
      tiered,
      guarded,
      {
        holdMs: () => settings.holdMs,
        onError: 'hold',
        marks: settings.mark,
        markTtlMs: settings.markTtlMs,
        onMarkError: settings.inversions ? 'abort' : 'proceed',
        maxTagsPerKind: 64,
        maxPending: 1000,
      },
      clock,
      emit,
    );
    this.scopes = new parts.Scopes();
    const { waitMs, claimMs, privateMs } = settings;
    const claims = settings.claims && new OwnClaims(guarded, { claimMs, privateMs }, clock);
    this.cache = new parts.Cache(
      tiered,
      this.invalidations,
      this.scopes,
      { waitMs, maxTags: 64, chance: world.random.next, ...(claims && { claims }) },
      clock,
      emit,
    );
    /** @type {import('../../src/typeorm/delivery.js').Durable | undefined} */
    this.durable = settings.durable
      ? {
          outbox: new SimOutboxWriter(this, this.databaseLane(`background of ${name}`)),
          fencedAnswers: settings.fencedAnswers,
          settleMs: settings.lambdaMs + settings.leaseMs,
          covers: () => false,
          triggers: false,
        }
      : undefined;
  }

  startSweeper() {
    const { variant, random } = this.world;
    const lane = this.databaseLane(`sweeper of ${this.name}`);
    const database = new (variant.outboxDatabase ?? SimOutboxDatabase)(this, lane);
    const history = this.redis.history.through(this.store);
    this.sweeper = new Sweeper({
      history: variant.history?.(history, this) ?? history,
      database,
      emit: (event) => this.world.heard(this, event),
      lambdaMs: this.settings.lambdaMs,
      clock: this.clock,
      maxTtlMs: () => 30_000,
      random: random.next,
    });
    void this.sweeper.start();
  }

  stopSweeper() {
    void this.sweeper?.close();
    this.sweeper = undefined;
  }

  /** Where the statements of one connection to the database wait. @param {string} name */
  databaseLane(name) {
    const lane = this.world.scheduler.lane(name, this);
    lane.held = this.cutFromDatabase;
    this.#databaseLanes.add(lane);
    return lane;
  }

  /** @param {Lane} lane */
  closeLane(lane) {
    this.#databaseLanes.delete(lane);
    this.world.scheduler.removeLane(lane);
  }

  /** @param {boolean} cut */
  cutDatabase(cut) {
    this.cutFromDatabase = cut;
    for (const lane of this.#databaseLanes) lane.held = cut;
  }

  /**
   * A statement: executed in one step, answered in a later one.
   * @template T
   * @param {Lane} lane
   * @param {string} label
   * @param {(database: Database, answer: (value: T) => void, fail: (error: Error) => void) => void} statement
   * @returns {Promise<T>}
   */
  ask(lane, label, statement) {
    const { scheduler, database } = this.world;
    return new Promise((resolve, reject) => {
      scheduler.add(lane, label, () => {
        statement(
          database,
          (value) => scheduler.add(lane, `answer: ${label}`, () => resolve(value)),
          (error) => scheduler.add(lane, `failed: ${label}`, () => reject(error)),
        );
      });
    });
  }

  /** SIGKILL: whatever it knew is gone, what it has sent is not. */
  crash() {
    const { scheduler } = this.world;
    const ghosts = scheduler.lane(`database without ${this.name}`);
    for (const { waiting } of this.#databaseLanes) {
      const [sent] = waiting;
      if (sent !== undefined && !textOf(sent).startsWith('answer') && scheduler.random.chance(0.5))
        scheduler.add(ghosts, sent.label, sent.run);
    }
    scheduler.add(ghosts, `${this.name} is gone: rolls back`, () => this.world.rollBackOpen(this));
    this.dead = true;
    this.link.close();
    scheduler.forget(this);
  }
}
