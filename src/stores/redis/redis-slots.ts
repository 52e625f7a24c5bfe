// Which process runs a due slot, agreed on in Redis, and what came of the runs.
import type { RunningTask, SlotAnswer, SlotRequest, Slots, TaskRun, TaskState } from '../../contract/schedule.js';
import { askTogether, isUsable, type RedisLike } from '../../contract/redis-like.js';
import { CLAIM_SLOT, RELEASE_SLOT, RENEW_SLOT, SETTLE_SLOT } from './lua/slot.js';
import type { RedisKeys } from './redis-keys.js';
import { runScript, script, type Argument, type Script } from './scripts.js';

export interface RedisSlotsParts {
  readonly client: RedisLike;
  readonly keys: Pick<RedisKeys, 'task' | 'taskRuns'>;
  /** How long a claim holds unless it is renewed, ms. */
  readonly leaseMs: number;
  /** For how long an ended lease is doubted: who was cut off from Redis together with all others comes back first, ms. */
  readonly doubtMs: number;
  /** Runs kept of each task. */
  readonly mostRuns: number;
  /** Ends the wait for an answer. */
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

const CLAIM = script(CLAIM_SLOT);
const RENEW = script(RENEW_SLOT);
const SETTLE = script(SETTLE_SLOT);
const RELEASE = script(RELEASE_SLOT);

/** Longer than a year, for what is due once in it; of tasks that nobody declares any more nothing is left then. */
const KEPT_MS = 400 * 86_400_000;

type Field = string | number | null | undefined;

export class RedisSlots implements Slots {
  constructor(private readonly parts: RedisSlotsParts) {}

  async claim({ task, slot, token, since, process }: SlotRequest): Promise<SlotAnswer> {
    const { leaseMs, doubtMs } = this.parts;
    const args = [slot, token, leaseMs, since, process, doubtMs, KEPT_MS];
    const [state, first, ...rest] = (await this.#run(CLAIM, task, args)) as [string, Field, ...Field[]];
    if (state === 'held' || state === 'early') return { state, askAgainMs: Number(first) };
    if (state === 'past') return { state, settled: Number(first) };
    const [attempt = 1, settled = 0, orphanedMs = 0, begunAt = 0] = rest.map(Number);
    return { state: 'taken', slot: Number(first), attempt, settled, orphanedMs, begunAt };
  }

  async renew(task: string, token: string, attempt: number): Promise<boolean> {
    return (await this.#run(RENEW, task, [token, this.parts.leaseMs, attempt])) === 'held';
  }

  async settle(task: string, token: string, missed: number, run?: TaskRun): Promise<boolean> {
    const text = run === undefined ? '' : JSON.stringify(run);
    return (await this.#run(SETTLE, task, [token, missed, text, this.parts.mostRuns, KEPT_MS])) === 'held';
  }

  async release(task: string, token: string): Promise<void> {
    await this.#run(RELEASE, task, [token]);
  }

  async state(task: string): Promise<TaskState> {
    const { client, keys, inTime } = this.parts;
    const fields = ['since', 'process', 'attempt', 'missed', 'until'];
    const asked = [
      ['HMGET', keys.task(task), ...fields] as const,
      ['LINDEX', keys.taskRuns(task), 0] as const,
      ['TIME'] as const,
    ];
    const [known, last, time] = await askTogether(client, asked, inTime);
    const [since, process, attempt, missed, until] = known as Field[];
    const [seconds, micros] = time as Field[];
    const now = Number(seconds) * 1000 + Number(micros) / 1000;
    // Behind the end of its lease nobody knows whether it still runs.
    const running: RunningTask | undefined =
      since && Number(until) > now
        ? { since: new Date(Number(since)), process: String(process), attempt: Number(attempt) }
        : undefined;
    return { running, last: last === null ? undefined : runOf(last as string), missed: Number(missed ?? 0) };
  }

  async runs(task: string): Promise<readonly TaskRun[]> {
    const { client, keys, inTime } = this.parts;
    const [found] = await askTogether(client, [['LRANGE', keys.taskRuns(task), 0, -1]], inTime);
    return (found as readonly string[]).map(runOf);
  }

  async #run(one: Script, task: string, args: readonly Argument[]): Promise<unknown> {
    const { client, keys, inTime } = this.parts;
    if (!isUsable(client)) throw new Error('Redis is not connected.');
    const names = [keys.task(task), keys.taskRuns(task)];
    return inTime(runScript(client, one, [names.length, ...names, ...args]));
  }
}

function runOf(text: string): TaskRun {
  const { at, due, ...rest } = JSON.parse(text) as TaskRun;
  return { ...rest, at: new Date(at), ...(due && { due: new Date(due) }) };
}
