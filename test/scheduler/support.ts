// Schedulers over one real Redis namespace and one clock that tests hold, with every answer and event to wait for.
import { Redis } from 'ioredis';
import type { CacheEvent } from '../../src/contract/events.js';
import type { SlotAnswer, SlotRequest, Slots } from '../../src/contract/schedule.js';
import { timetableOf } from '../../src/scheduler/cron.js';
import { OwnSlots } from '../../src/scheduler/own-slots.js';
import { Scheduler } from '../../src/scheduler/scheduler.js';
import type { Task } from '../../src/scheduler/task.js';
import { redisKeys } from '../../src/stores/redis/redis-keys.js';
import { RedisSlots } from '../../src/stores/redis/redis-slots.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

export type TaskEvent = Extract<CacheEvent, { kind: 'task' }>;

/** What comes in, and waits for what has not come yet. */
export class Heard<T> {
  readonly all: T[] = [];
  #taken = 0;
  #waiting: (() => void)[] = [];

  add(one: T): void {
    this.all.push(one);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The next that is meant, after the one that was found before. */
  async next(isMeant: (one: T) => boolean): Promise<T> {
    for (;;) {
      while (this.#taken < this.all.length) {
        const one = this.all[this.#taken++];
        if (one !== undefined && isMeant(one)) return one;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** Redis as this process reaches it, or does not. */
class Line implements Slots {
  cut = false;
  /** What records the end of a run waits for it. */
  recording: Promise<void> = Promise.resolve();
  readonly answers = new Heard<SlotAnswer | 'away'>();
  constructor(private readonly slots: Slots) {}

  async claim(request: SlotRequest) {
    const answer = await this.#through(() => this.slots.claim(request)).catch((error: unknown) => {
      this.answers.add('away');
      throw error;
    });
    this.answers.add(answer);
    return answer;
  }
  renew: Slots['renew'] = (...args) => this.#through(() => this.slots.renew(...args));
  settle: Slots['settle'] = async (...args) => {
    await this.recording;
    return this.#through(() => this.slots.settle(...args));
  };
  release: Slots['release'] = (...args) => this.#through(() => this.slots.release(...args));
  state: Slots['state'] = (...args) => this.#through(() => this.slots.state(...args));
  runs: Slots['runs'] = (...args) => this.#through(() => this.slots.runs(...args));

  async #through<T>(task: () => Promise<T>): Promise<T> {
    if (this.cut) throw new Error('cut');
    return task();
  }
}

export const LEASE_MS = 10_000;

export class Scene {
  readonly clock: FakeClock;
  readonly namespace = ownNamespace();
  readonly keys = redisKeys(this.namespace, '', '');
  readonly redis = new Redis(redisUrl());
  readonly #schedulers: Scheduler[] = [];

  constructor(now?: number) {
    this.clock = new FakeClock(now);
  }

  task(run: Task['run'], more: Partial<Task> = {}): Task {
    const { cron = '* * * * *', timezone = 'UTC' } = more;
    return {
      name: 'mine',
      cron,
      timezone,
      timetable: timetableOf(cron, timezone),
      timeLimitMs: 600_000,
      retry: { retries: 2, firstMs: 10_000, longestMs: 3_600_000 },
      catchUpMs: 60_000,
      run,
      ...more,
    };
  }

  /** A process. */
  member(task: Task, { doubtMs = 0, alone = false, clock = this.clock } = {}) {
    const events = new Heard<CacheEvent>();
    const inTime = <T>(answer: Promise<T>) => answer;
    const { redis: client, keys } = this;
    const shared = alone
      ? new OwnSlots(20, clock)
      : new RedisSlots({ client, keys, leaseMs: LEASE_MS, doubtMs, mostRuns: 20, inTime });
    const line = new Line(shared);
    const scheduler = new Scheduler({
      tasks: [task],
      slots: line,
      leaseMs: LEASE_MS,
      closeMs: 2000,
      process: `host:${this.#schedulers.length + 1}`,
      random: () => 0.5,
      clock,
      emit: (event) => events.add(event),
    });
    this.#schedulers.push(scheduler);
    const told = (state: TaskEvent['state']) =>
      events.next((event) => event.kind === 'task' && event.state === state) as Promise<TaskEvent>;
    /** And what follows from it: usually that the process sleeps. */
    const answered = async (state: SlotAnswer['state'] | 'away') => {
      const found = await line.answers.next((answer) => (answer === 'away' ? answer : answer.state) === state);
      await turn();
      return found;
    };
    return { scheduler, events, line, told, answered };
  }

  /** The lease of whoever runs the task is over, by the clock of Redis. */
  async endLease(name = 'mine'): Promise<void> {
    await this.redis.hset(this.keys.task(name), 'until', Date.now() - 1000);
  }

  /** Time passes for everybody, and what is asked meanwhile is answered. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.clock.advance(Math.min(left, 1000));
      await turn();
      // Behind what was asked on the same connection.
      await this.redis.ping();
      await turn();
    }
  }

  async close(): Promise<void> {
    const stopped = this.#schedulers.map((scheduler) => scheduler.stop());
    this.clock.advance(2000);
    await Promise.all(stopped);
    this.redis.disconnect();
  }
}

/** Lets what was answered be heard. */
export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
