// The commands that a Redis user of the cache needs, each with a harmless call of it: README, doctor and tests read this one list.
import type { RedisKeys } from './redis-keys.js';

/** What a call of a command is made of, so that a server can be asked whether a user may run it. */
export type SampleCall = (keys: Pick<RedisKeys, 'table' | 'budget' | 'channel'>) => readonly (string | number)[];

/** What they are needed for, in the order of importance. Without those of a later group the rest works. */
export const NEEDED_FOR = {
  reports: 'reports, invalidations and statistics',
  budgets: 'the budgets in Redis; without them only ttl and maxmemory bound it',
  looking: 'the log of invalidations and the list of entries',
  learning: 'learning what to warm',
  schedule: 'the schedule',
} as const;

export type NeededFor = keyof typeof NEEDED_FOR;

const onTable: SampleCall = ({ table }) => [table];
const field: SampleCall = ({ table }) => [table, 'f'];
const onBudget: SampleCall = ({ budget }) => [budget];
const member: SampleCall = ({ budget }) => [budget, 'm'];
const scored: SampleCall = ({ budget }) => [budget, 0, 'm'];
const range: SampleCall = ({ budget }) => [budget, 0, 0];

/** Names as an ACL has them: a subcommand stands behind `|`. */
export const NEEDED_COMMANDS: Readonly<Record<NeededFor, Readonly<Record<string, SampleCall>>>> = {
  reports: {
    evalsha: () => ['0'.repeat(40), 0],
    eval: () => ['return 1', 0],
    hmget: field,
    hgetall: onTable,
    hget: field,
    hset: ({ table }) => [table, 'f', 'v'],
    hdel: field,
    hincrby: ({ table }) => [table, 'f', 1],
    hlen: onTable,
    hscan: ({ table }) => [table, 0],
    hrandfield: onTable,
    exists: onTable,
    unlink: onTable,
    pexpire: ({ table }) => [table, 1],
    time: () => [],
    publish: ({ channel }) => [channel, 'm'],
    subscribe: ({ channel }) => [channel],
    info: () => [],
    ping: () => [],
  },
  budgets: {
    zadd: scored,
    zincrby: scored,
    zrem: member,
    zscore: member,
    zrangebyscore: range,
    zrandmember: onBudget,
    pttl: onTable,
    'memory|usage': onTable,
    'object|idletime': onTable,
  },
  looking: {
    xadd: ({ table }) => [table, '*', 'f', 'v'],
    xrevrange: ({ table }) => [table, '+', '-'],
    zcard: onBudget,
    zrevrangebyscore: range,
    hstrlen: field,
  },
  learning: {
    zincrby: scored,
    zrevrange: range,
    zunionstore: ({ budget }) => [budget, 1, budget],
    zremrangebyrank: range,
  },
  schedule: {
    lpush: ({ table }) => [table, 'm'],
    ltrim: ({ table }) => [table, 0, 0],
    lrange: ({ table }) => [table, 0, 0],
    lindex: ({ table }) => [table, 0],
    zscan: ({ budget }) => [budget, 0],
  },
};
