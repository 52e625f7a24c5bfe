// What a Redis tells of itself and of a namespace in it: looked at, nothing written, no history begun.
import type { Clock } from '../../contract/clock.js';
import { errorText } from '../../contract/errors.js';
import { pairsOf } from '../../contract/redis-like.js';
import type { TaskState } from '../../contract/schedule.js';
import { BUILT_IN_TASKS } from '../../options/schedule.js';
import { SCHEDULE } from '../../options/defaults.js';
import { NEEDED_COMMANDS, NEEDED_FOR, type NeededFor } from '../../stores/redis/needed-commands.js';
import { RedisSlots } from '../../stores/redis/redis-slots.js';
import { isRefusal, readInfo, type Info } from '../redis-info.js';
import type { RedisWay } from '../way.js';

export interface TimeSample {
  /** Wall clock of this machine before and after the question, ms. */
  readonly before: number;
  readonly after: number;
  /** What Redis said in between, ms. */
  readonly there: number;
  readonly roundTripMs: number;
}

/** What a user lacks; undefined: it could not be asked. */
export type Lacking = readonly { readonly command: string; readonly for: NeededFor }[] | undefined;

export interface NamespaceFacts {
  /** Of the tag table, by name without the `!`. */
  readonly head: Readonly<Record<(typeof HEAD)[number], string | null>>;
  readonly fields: number;
  readonly entries: number;
  /** Undefined: nothing was counted. */
  readonly bytes: number | undefined;
  /** When writes that have announced themselves are given up, ms by the clock of Redis. */
  readonly marks: readonly number[];
  readonly tasks: Readonly<Record<string, TaskState>>;
}

export interface RedisFacts {
  readonly url: URL;
  /** Undefined: INFO is refused. */
  readonly info: Info | undefined;
  /** By CONFIG GET; undefined: refused, as at most providers. */
  readonly save: string | undefined;
  readonly times: readonly TimeSample[];
  /** Who is connected; undefined: ACL WHOAMI is refused. */
  readonly user: string | undefined;
  readonly asUser: string | undefined;
  readonly lacking: Lacking;
  readonly namespace: NamespaceFacts;
}

const HEAD = ['ep', 'inc', 'seq', 'floor', 'live', 'lambda'] as const;
const SAMPLES = 5;

/** @param asUser whose permissions are looked at; default: who is connected */
export async function redisFacts(way: RedisWay, asUser: string | undefined, clock: Clock): Promise<RedisFacts> {
  const { client, inTime } = way;
  const times: TimeSample[] = [];
  // One after the other: a round trip is to be measured, not how many fit into one.
  for (let sample = 0; sample < SAMPLES; sample += 1) times.push(await timeSample(way, clock));
  const info = await readInfo(way);
  const user = (await unlessRefused(inTime(client.call('ACL', 'WHOAMI')))) as string | undefined;
  const save = (await unlessRefused(inTime(client.call('CONFIG', 'GET', 'save')))) as object | undefined;
  const name = asUser ?? user;
  return {
    url: way.url,
    info,
    // A list, or an object of one member, as the protocol has it.
    save: save === undefined ? undefined : ((Object.values(save).at(-1) as string | undefined) ?? ''),
    times,
    user,
    asUser,
    lacking: name === undefined ? undefined : await lackingOf(way, name),
    namespace: await namespaceFacts(way),
  };
}

async function timeSample({ client, inTime }: RedisWay, clock: Clock): Promise<TimeSample> {
  const from = clock.monotonic();
  const before = clock.now();
  const [seconds, micros] = (await inTime(client.call('TIME'))) as [string | number, string | number];
  const after = clock.now();
  const there = Number(seconds) * 1000 + Number(micros) / 1000;
  return { before, after, there, roundTripMs: clock.monotonic() - from };
}

/** Asks the server for each of them, and runs none. */
async function lackingOf({ client, inTime, keys, keyPrefix }: RedisWay, user: string): Promise<Lacking> {
  const named = { table: keyPrefix + keys.table, budget: keyPrefix + keys.budget, channel: keys.channel };
  const lacking: { command: string; for: NeededFor }[] = [];
  for (const group of Object.keys(NEEDED_FOR) as NeededFor[])
    for (const [command, sample] of Object.entries(NEEDED_COMMANDS[group])) {
      const answer = await unlessRefused(
        inTime(client.call('ACL', 'DRYRUN', user, ...command.split('|'), ...sample(named))),
      );
      if (answer === undefined) return undefined;
      // The answer is a text that says what is missing.
      if (answer !== 'OK') lacking.push({ command, for: group });
    }
  return lacking;
}

async function namespaceFacts({ client, inTime, keys }: RedisWay): Promise<NamespaceFacts> {
  const call = (name: string, ...args: (string | number)[]) => inTime(client.call(name, ...args));
  const found = (await call('HMGET', keys.table, ...HEAD.map((field) => `!${field}`))) as (string | null)[];
  const head = Object.fromEntries(HEAD.map((field, at) => [field, found[at] ?? null])) as NamespaceFacts['head'];
  const sum = await unlessRefused(call('ZSCORE', keys.budget, '!'));
  const counted = await unlessRefused(call('ZCARD', keys.budget));
  const marks = pairsOf(await call('HGETALL', keys.marks));
  const slots = new RedisSlots({
    client,
    keys,
    leaseMs: SCHEDULE.leaseMs,
    doubtMs: SCHEDULE.doubtMs,
    mostRuns: SCHEDULE.mostRuns,
    inTime,
  });
  const tasks: Record<string, TaskState> = {};
  for (const task of BUILT_IN_TASKS) {
    const state = await unlessRefused(slots.state(task));
    if (state !== undefined) tasks[task] = state;
  }
  return {
    head,
    fields: Number(await call('HLEN', keys.table)),
    entries: Math.max(0, Number(counted ?? 0) - 1),
    bytes: sum === undefined || sum === null ? undefined : Math.max(0, -Number(sum)),
    marks: marks.flatMap(([field, value]) =>
      // Behind `!` stand the records of the marks themselves.
      field.startsWith('!') ? [] : [...value.matchAll(/\S+ (\d+)/g)].map(([, deadline]) => Number(deadline)),
    ),
    tasks,
  };
}

async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isRefusal(error) || /^ERR User .* not found/.test(errorText(error))) return undefined;
    throw error;
  }
}
