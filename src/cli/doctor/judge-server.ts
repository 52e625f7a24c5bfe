// Pure: what is to be said of a Redis server, whatever is kept in it.
import { NEEDED_FOR, type NeededFor } from '../../stores/redis/needed-commands.js';
import { bytesText, countText, msText } from '../text.js';
import type { Info } from '../redis-info.js';
import { finding, ok, type Finding } from './finding.js';
import type { RedisFacts, TimeSample } from './redis-facts.js';

const OLDEST_MAJOR = 7;
const SLOW_MS = 5;
/** A lookup and a proof come to more than the usual redisDeadline of 250 ms then. */
const TOO_SLOW_MS = 100;
/** The shortest bound that clocks of two machines have to do with is a ttl, and those are minutes. */
const SKEW_MS = 1000;
const BAD_SKEW_MS = 30_000;
const NEARLY_FULL = 0.9;

export function judgeServer(facts: RedisFacts): Finding[] {
  const { info, url, user, lacking, asUser, times, save } = facts;
  return [
    ok('redis-reachable', `Redis at ${url.host} answers.`),
    judgeRoundTrip(times),
    judgeSkew(times),
    ...(info === undefined
      ? [INFO_REFUSED]
      : [judgeVersion(info), ...judgeRole(info), judgeMemory(info), ...judgePersistence(info, save)]),
    ...judgePermissions(lacking, asUser ?? user),
    ...judgeAccess(url, user),
  ];
}

const INFO_REFUSED = finding(
  'warning',
  'redis-info',
  'The user may not run INFO.',
  'A restart or a failover is recognised by what INFO tells. Without it everything becomes cold whenever a process connects, and this check knows neither version, role nor memory.',
  'Grant +info to the Redis user of the application.',
);

export function judgeRoundTrip(times: readonly TimeSample[]): Finding {
  const sorted = times.map(({ roundTripMs }) => roundTripMs).toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const what = `A round trip takes ${msText(median)}.`;
  if (median < SLOW_MS) return ok('redis-round-trip', what);
  const meaning = 'Each hit that is proved current waits so long, and operations that pass redisDeadline are given up.';
  const fix = 'Put Redis beside the processes; where that cannot be, use consistency lease and a longer redisDeadline.';
  return finding(median < TOO_SLOW_MS ? 'advice' : 'warning', 'redis-round-trip', what, meaning, fix);
}

/** How far the clock of Redis is ahead, as far as it is certain: the answer was made some time between question and answer. */
export function skewOf({ before, after, there }: Pick<TimeSample, 'before' | 'after' | 'there'>): number {
  if (there > after) return there - after;
  return there < before ? there - before : 0;
}

export function judgeSkew(times: readonly TimeSample[]): Finding {
  const skews = times.map(skewOf);
  const skew = skews.toSorted((a, b) => Math.abs(a) - Math.abs(b))[0] ?? 0;
  const what = `The clock of Redis is ${Math.abs(skew) < 1 ? 'that of this machine' : `${msText(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} this machine`}.`;
  if (Math.abs(skew) < SKEW_MS) return ok('clock-skew', what);
  return finding(
    Math.abs(skew) < BAD_SKEW_MS ? 'advice' : 'warning',
    'clock-skew',
    what,
    'Reports live that much longer or shorter than their ttl, and scheduled tasks begin by the clock of Redis. What is invalidated does not depend on clocks.',
    'Let a time service (NTP) set the clocks of both machines.',
  );
}

export function judgeVersion(info: Info): Finding {
  const valkey = info['valkey_version'];
  if (valkey !== undefined) return ok('redis-version', `Valkey ${valkey}.`);
  const version = info['redis_version'] ?? '';
  if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return ok('redis-version', `Redis ${version}.`);
  return finding(
    'error',
    'redis-version',
    `Redis ${version}.`,
    'The scripts begin with a line that Redis 6 does not know: nothing is cached, and nothing shared is invalidated.',
    'Use Redis 7 or newer, or Valkey.',
  );
}

export function judgeRole(info: Info): Finding[] {
  if (info['role'] !== 'master')
    return [
      finding(
        'error',
        'redis-role',
        'This is a replica.',
        'It takes no writes, so nothing is stored and no invalidation gets through; and what it tells may be old.',
        'Connect to the primary, through sentinels or the primary endpoint of the provider.',
      ),
    ];
  const replicas = Number(info['connected_slaves'] ?? 0);
  const isCluster = info['cluster_enabled'] === '1';
  const mode = isCluster ? 'a node of a cluster, which has the whole namespace' : 'a primary';
  return [ok('redis-role', `It is ${mode}, with ${replicas} replica${replicas === 1 ? '' : 's'}.`)];
}

export function judgeMemory(info: Info): Finding {
  const [used, most] = [Number(info['used_memory'] ?? 0), Number(info['maxmemory'] ?? 0)];
  const policy = info['maxmemory_policy'] ?? 'unknown';
  const what = `maxmemory ${most === 0 ? 'is not set' : bytesText(most)}, ${policy}, ${bytesText(used)} used.`;
  const code = 'redis-memory';
  if (most === 0)
    return finding(
      'advice',
      code,
      what,
      'Nothing but the budget of the cache (redisMaxBytes) bounds it, and what else is there grows until the machine has no memory left.',
      'Set maxmemory to twice the budget or more, with maxmemory-policy volatile-lfu.',
    );
  if (policy === 'noeviction')
    return finding(
      'warning',
      code,
      what,
      'When it is full Redis stores no further report: they are computed each time. Invalidations still get through.',
      'Set maxmemory-policy volatile-lfu or volatile-lru: reports have a time to live, the tag table has none.',
    );
  if (policy.startsWith('allkeys-'))
    return finding(
      'warning',
      code,
      what,
      'The tag table may be evicted, too. Nothing old is served then, but everything is cold at once.',
      'Set maxmemory-policy volatile-lfu or volatile-lru: reports have a time to live, the tag table has none.',
    );
  if (used > most * NEARLY_FULL)
    return finding(
      'warning',
      code,
      what,
      `Redis evicts reports by itself (${countText(Number(info['evicted_keys'] ?? 0))} keys so far), without regard to what they cost.`,
      'Raise maxmemory, or lower redisMaxBytes to half of it.',
    );
  return ok(code, what);
}

/** @param save as CONFIG GET has it; undefined: not known */
export function judgePersistence(info: Info, save: string | undefined): Finding[] {
  const code = 'redis-persistence';
  if (info['rdb_last_bgsave_status'] === 'err' || info['aof_last_write_status'] === 'err')
    return [
      finding(
        'error',
        code,
        'Redis could not save its data.',
        'Unless stop-writes-on-bgsave-error is off it refuses all writes: nothing is stored, and invalidations are late.',
        'Look into its log: mostly the disk is full, or its folder may not be written.',
      ),
    ];
  if (info['loading'] === '1' || info['async_loading'] === '1')
    return [
      finding('warning', code, 'Redis is loading its data.', 'Until that is done reports are computed.', 'Wait.'),
    ];
  const aof = info['aof_enabled'] === '1';
  const restored =
    'What a restart or a backup brings back belongs to a history that is over: everything is cold once, and nothing old is served.';
  if (aof)
    return [
      finding(
        'advice',
        code,
        'Redis writes each change to its append-only file.',
        `For this cache that is of no use. ${restored}`,
        'Set appendonly no, if nothing else in this Redis needs it.',
      ),
    ];
  const snapshots = save === undefined ? 'snapshots not known' : save === '' ? 'no snapshots' : `snapshots (${save})`;
  return [ok(code, `No append-only file, ${snapshots}. ${restored}`)];
}

function judgePermissions(lacking: RedisFacts['lacking'], user: string | undefined): Finding[] {
  const code = 'redis-permissions';
  if (lacking === undefined)
    return [
      finding(
        'advice',
        code,
        'Whether the user has all permissions was not checked.',
        'It takes ACL WHOAMI and ACL DRYRUN, which this user may not run, this server does not have, or the user named by --acl-user is unknown.',
        'Run it as an administrator, with --acl-user <user of the application>.',
      ),
    ];
  if (lacking.length === 0) return [ok(code, `The user "${user}" has all the permissions that are needed.`)];
  const groups = Object.keys(NEEDED_FOR) as NeededFor[];
  return groups.flatMap((group): Finding[] => {
    const commands = lacking.filter((one) => one.for === group).map(({ command }) => `+${command}`);
    if (commands.length === 0) return [];
    return [
      finding(
        group === 'reports' ? 'error' : 'warning',
        `${code}-${group}`,
        `The user "${user}" lacks ${commands.join(' ')}.`,
        `They are needed for ${NEEDED_FOR[group]}.`,
        `ACL SETUSER ${user} ${commands.join(' ')}, with the keys ~{namespace}:* and the channels &{namespace}:*.`,
      ),
    ];
  });
}

export function judgeAccess(url: URL, user: string | undefined): Finding[] {
  if (isLoopback(url.hostname)) return [];
  const findings: Finding[] = [];
  if (url.protocol !== 'rediss:')
    findings.push(
      finding(
        'advice',
        'redis-plaintext',
        'The connection is not encrypted.',
        'Reports and the password pass the network as they are.',
        'Use TLS (rediss://), unless the network is yours alone.',
      ),
    );
  if (url.password === '' && (user === undefined || user === 'default'))
    findings.push(
      finding(
        'warning',
        'redis-open',
        'No password is asked for.',
        'Whoever reaches this port can read reports, and store others in their place.',
        'Set a password, or a user of its own with the permissions that the README lists, and bind Redis to the inner network.',
      ),
    );
  return findings;
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || host === '::1' || host.startsWith('127.');
