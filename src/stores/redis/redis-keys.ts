// Every name in Redis. All carry the hash tag {namespace}: one slot in a cluster, so that scripts stay atomic.
import { WIRE_VERSION } from '../../contract/entry.js';
import { sha256 } from '../../entry/encode.js';

/** Of 43: 96 bits, with which no two owners meet by chance; two who did would share a budget. */
const ACCOUNT_DIGITS = 16;

export interface RedisKeys {
  /** The tag table: sequence, epoch and last invalidation of every tag, without expiry. */
  readonly table: string;
  /** Writes between their mark and their end, without expiry; lost, it makes everything cold. */
  readonly marks: string;
  /** What entries take, by the end of their time, see lua/charge.ts. Names of entries are made from this one: its last letter changes. */
  readonly budget: string;
  /** What one owner's entries take. No id stands in the name. */
  account(owner: string): string;
  /** What was spent on a report type on a day: by one owner, or by all of them. */
  spending(day: string, type: string, owner: string | undefined): string;
  /** What happened in five minutes, of all processes. */
  statistics(bucket: number): string;
  /** What readers ask for in an hour of the week; and in which week each of them was told last. */
  demand(hour: number | 'weeks'): string;
  /** The stream of the latest invalidations, of all processes. */
  readonly invalidations: string;
  /** Who runs a scheduled task, see lua/slot.ts; and its latest runs. */
  task(name: string): string;
  taskRuns(name: string): string;
  /** Which position was the present one when, for who prunes the table. */
  readonly samples: string;
  /** The channel of pushed invalidations. Not a key: ioredis does not put its keyPrefix in front. */
  readonly channel: string;
  /** The channel on which a process hears who has taken its invalidations. */
  acknowledgements(process: string): string;
  /** An entry. The application's version stands here and not in the table, so that releases invalidate each other. */
  entry(key: string): string;
  /** Who computes that entry. */
  claim(key: string): string;
}

export function redisKeys(namespace: string, version: string, keyPrefix: string): RedisKeys {
  const release = `${WIRE_VERSION}.${version}`;
  return {
    table: `{${namespace}}:t`,
    marks: `{${namespace}}:x`,
    budget: `{${namespace}}:b`,
    account: (owner) => `{${namespace}}:b:${sha256(owner).slice(0, ACCOUNT_DIGITS)}`,
    spending: (day, type, owner) =>
      `{${namespace}}:s:${day}:${type}:${owner === undefined ? '*' : sha256(owner).slice(0, ACCOUNT_DIGITS)}`,
    statistics: (bucket) => `{${namespace}}:n:${bucket}`,
    demand: (hour) => `{${namespace}}:w:${version}:${hour}`,
    invalidations: `{${namespace}}:i`,
    task: (name) => `{${namespace}}:j:${name}`,
    taskRuns: (name) => `{${namespace}}:j:${name}:runs`,
    samples: `{${namespace}}:j`,
    channel: `${keyPrefix}{${namespace}}:c`,
    acknowledgements: (process) => `${keyPrefix}{${namespace}}:a:${process}`,
    entry: (key) => `{${namespace}}:e:${release}:${key}`,
    claim: (key) => `{${namespace}}:c:${release}:${key}`,
  };
}
