// Each finding of the doctor, from facts that no test could bring about: clocks that differ, disks that are full, old servers.
import { describe, expect, it } from '@jest/globals';
import type { DatabaseFacts } from '../../src/cli/doctor/database-facts.js';
import { findingsText, isBad, type Finding } from '../../src/cli/doctor/finding.js';
import { judgeDatabase, judgeTypeorm } from '../../src/cli/doctor/judge-database.js';
import { judgeAddress, judgeHealth, judgeSchedule, REASONS } from '../../src/cli/doctor/judge-health.js';
import { judgeNamespace, judgeWatermark } from '../../src/cli/doctor/judge-namespace.js';
import {
  judgeAccess,
  judgeMemory,
  judgePersistence,
  judgeRole,
  judgeRoundTrip,
  judgeServer,
  judgeSkew,
  judgeVersion,
  skewOf,
} from '../../src/cli/doctor/judge-server.js';
import type { NamespaceFacts, RedisFacts } from '../../src/cli/doctor/redis-facts.js';
import { parseInfo } from '../../src/cli/redis-info.js';

const said = (found: Finding | readonly Finding[]) => [found].flat().map(({ code, severity }) => `${severity} ${code}`);

describe('the clock', () => {
  it.each([
    [{ before: 1000, there: 1004, after: 1010 }, 0],
    [{ before: 1000, there: 1000, after: 1000 }, 0],
    [{ before: 1000, there: 900, after: 1010 }, -100],
    [{ before: 1000, there: 5010, after: 1010 }, 4000],
  ])('%j differs by %i', (sample, skew) => expect(skewOf(sample)).toBe(skew));

  it.each([
    [0, 'ok'],
    [999, 'ok'],
    [1000, 'advice'],
    [-2000, 'advice'],
    [30_000, 'warning'],
    [-30_000, 'warning'],
  ])('that is %i ms off: %s', (skew, severity) => {
    const sample = { before: 0, after: 0, there: skew, roundTripMs: 1 };
    expect(said(judgeSkew([sample, sample]))).toEqual([`${severity} clock-skew`]);
  });

  it('counts the sample that is least uncertain', () => {
    const slow = { before: 0, after: 0, there: 5000, roundTripMs: 1 };
    expect(judgeSkew([slow, { ...slow, there: 10 }]).severity).toBe('ok');
  });
});

it.each([
  [[1, 1, 90], 'ok'],
  [[6, 6, 1], 'advice'],
  [[101, 100, 2], 'warning'],
])('round trips of %j ms: %s', (times, severity) => {
  const samples = times.map((roundTripMs) => ({ before: 0, after: 0, there: 0, roundTripMs }));
  expect(said(judgeRoundTrip(samples))).toEqual([`${severity} redis-round-trip`]);
});

it.each([
  ['redis_version:6.2.14', 'error'],
  ['redis_version:7.0.15', 'ok'],
  ['redis_version:8.2.0', 'ok'],
  ['redis_version:7.2.4\r\nvalkey_version:8.1.0', 'ok'],
  ['nothing:1', 'error'],
])('%j: %s', (text, severity) => expect(said(judgeVersion(parseInfo(text)))).toEqual([`${severity} redis-version`]));

it.each([
  [{ role: 'slave' }, 'error'],
  [{ role: 'master', connected_slaves: '1' }, 'ok'],
  [{ role: 'master', cluster_enabled: '1' }, 'ok'],
])('%j: %s', (info, severity) => expect(said(judgeRole(info))).toEqual([`${severity} redis-role`]));

it.each([
  [{ maxmemory: '0', maxmemory_policy: 'noeviction' }, 'advice'],
  [{ maxmemory: '100', maxmemory_policy: 'noeviction' }, 'warning'],
  [{ maxmemory: '100', maxmemory_policy: 'allkeys-lru' }, 'warning'],
  [{ maxmemory: '100', used_memory: '91', maxmemory_policy: 'volatile-lfu' }, 'warning'],
  [{ maxmemory: '100', used_memory: '89', maxmemory_policy: 'volatile-lru' }, 'ok'],
])('%j: %s', (info, severity) => expect(said(judgeMemory(info))).toEqual([`${severity} redis-memory`]));

it.each([
  [{ rdb_last_bgsave_status: 'err' }, 'error'],
  [{ aof_enabled: '1', aof_last_write_status: 'err' }, 'error'],
  [{ loading: '1' }, 'warning'],
  [{ aof_enabled: '1' }, 'advice'],
  [{ aof_enabled: '0' }, 'ok'],
])('%j: %s', (info, severity) => expect(said(judgePersistence(info, ''))).toEqual([`${severity} redis-persistence`]));

it.each([
  ['redis://127.0.0.1', 'default', []],
  ['redis://localhost', undefined, []],
  ['redis://10.0.0.5', 'default', ['advice redis-plaintext', 'warning redis-open']],
  ['redis://10.0.0.5', undefined, ['advice redis-plaintext', 'warning redis-open']],
  ['redis://:pw@10.0.0.5', 'default', ['advice redis-plaintext']],
  ['rediss://app:pw@10.0.0.5', 'app', []],
])('%s as %s: %j', (url, user, findings) => expect(said(judgeAccess(new URL(url), user))).toEqual(findings));

describe('permissions', () => {
  const facts = (more: Partial<RedisFacts>): RedisFacts => ({
    url: new URL('redis://localhost'),
    info: { redis_version: '7.0.0', role: 'master', maxmemory: '0' },
    save: '',
    times: [{ before: 0, after: 0, there: 0, roundTripMs: 0 }],
    user: 'app',
    asUser: undefined,
    lacking: [],
    namespace: {} as NamespaceFacts,
    ...more,
  });
  const ofThem = (more: Partial<RedisFacts>) =>
    judgeServer(facts(more)).filter(({ code }) => /permissions|info/.test(code));

  it('that are all there', () => expect(said(ofThem({}))).toEqual(['ok redis-permissions']));

  it('that are not known', () => expect(said(ofThem({ lacking: undefined }))).toEqual(['advice redis-permissions']));

  it('that are missing, by what they are for, with the command that grants them', () => {
    const found = ofThem({
      lacking: [
        { command: 'eval', for: 'reports' },
        { command: 'zadd', for: 'budgets' },
        { command: 'zrem', for: 'budgets' },
      ],
    });
    expect(said(found)).toEqual(['error redis-permissions-reports', 'warning redis-permissions-budgets']);
    expect(found[1]?.fix).toContain('ACL SETUSER app +zadd +zrem');
  });

  it('to run INFO', () => expect(said(ofThem({ info: undefined }))).toContain('warning redis-info'));
});

describe('a namespace', () => {
  const NOW = 1_000_000;
  const head = { ep: 'e', inc: 'r1', seq: '5', floor: '0', live: null, lambda: null };
  const facts: NamespaceFacts = { head, fields: 10, entries: 2, bytes: 100, marks: [], tasks: {} };
  const judged = (more: Partial<NamespaceFacts>, replid = 'r1') =>
    judgeNamespace('n', { ...facts, ...more }, { master_replid: replid }, NOW, 1000);
  const of = (code: string, found: readonly Finding[]) => said(found.filter((one) => one.code === code));

  it('that is well', () => expect(judged({}).filter(({ severity }) => severity !== 'ok')).toEqual([]));

  it('that is empty', () => expect(said(judged({ head: { ...head, ep: null } }))).toEqual(['warning namespace-empty']));

  it('whose history is that of another server', () => {
    expect(of('history-over', judged({}, 'r2'))).toEqual(['advice history-over']);
    expect(of('history-over', judged({ head: { ...head, inc: 'none' } }, 'r2'))).toEqual([]);
  });

  it.each([
    [799_999, 'ok'],
    [800_010, 'warning'],
  ])('with %i tags: %s', (fields, severity) => expect(of('tags', judged({ fields }))).toEqual([`${severity} tags`]));

  it.each([
    [950, 'ok'],
    [951, 'advice'],
    [undefined, 'advice'],
  ])('with %p of 1000 bytes: %s', (bytes, severity) =>
    expect(of('budget', judged({ bytes }))).toEqual([`${severity} budget`]),
  );

  it.each([
    [[NOW + 1], 'ok'],
    [[NOW + 1, NOW - 1], 'advice'],
  ])('with marks until %j: %s', (marks, severity) =>
    expect(of('marks', judged({ marks }))).toEqual([`${severity} marks`]),
  );

  it.each([
    [null, null, 'ok'],
    [NOW - 2000, 2000, 'ok'],
    [NOW - 2001, 2000, 'error'],
    [NOW + 1, 2000, 'error'],
    [null, 2000, 'error'],
  ])('with a watermark at %p under lambda %p: %s', (live, lambda, severity) => {
    const texts = {
      ...head,
      live: live === null ? null : String(live),
      lambda: lambda === null ? null : String(lambda),
    };
    expect(said(judgeWatermark({ head: texts }, NOW))).toEqual([`${severity} watermark`]);
  });

  it('whose tasks have failed or were missed', () => {
    const last = { at: new Date(0), ms: 1, outcome: 'timeout', attempts: 1, process: 'p' } as const;
    const tasks = {
      warm: { last, missed: 2, running: undefined },
      stale: { last: { ...last, outcome: 'done' as const }, missed: 0, running: undefined },
      keys: { last: undefined, missed: 0, running: undefined },
    };
    const found = said(judged({ tasks })).filter((one) => one.includes('task-'));
    expect(found).toEqual(['warning task-warm', 'advice task-warm-missed', 'ok task-stale']);
  });
});

describe('a process', () => {
  it('that is ready', () => expect(said(judgeHealth({ state: 'ready', reasons: [] }))).toEqual(['ok health']));

  it.each(Object.keys(REASONS) as (keyof typeof REASONS)[])('%s has a meaning and a fix', (reason) => {
    const [down] = judgeHealth({ state: 'down', reasons: [reason] });
    expect(down).toMatchObject({
      severity: 'error',
      code: `health-${reason}`,
      meaning: expect.stringMatching(/./),
      fix: expect.stringMatching(/./),
    });
    expect(said(judgeHealth({ state: 'degraded', reasons: [reason] }))).toEqual([`warning health-${reason}`]);
  });

  it('whose schedule is told as JSON', () => {
    const tasks = [{ name: 'digest', last: null, running: null, missed: 1 }];
    expect(said(judgeSchedule({ tasks: tasks as never }))).toEqual(['advice task-digest-missed']);
  });

  it.each([
    ['http://127.0.0.1/x', []],
    ['https://example.org/x', []],
    ['http://example.org/x', ['advice api-plaintext']],
  ])('at %s: %j', (url, findings) => expect(said(judgeAddress(new URL(url)))).toEqual(findings));
});

describe('a database', () => {
  const state = { epoch: 'e', generation: 1, silentMs: 10 };
  const outbox = { waiting: 1, oldestMs: 10, setAside: 0, state };
  const triggers = { functions: 2, triggers: 6, disabled: [], unable: [] };
  const facts: DatabaseFacts = {
    dialect: 'postgres',
    typeorm: '1.1.1',
    outbox,
    versions: 3,
    triggers,
    durable: { setting: 'synchronous_commit', value: 'on' },
  };
  const bad = (more: Partial<DatabaseFacts>, epoch: string | null | undefined = 'e') =>
    said(judgeDatabase({ ...facts, ...more }, epoch)).filter((one) => !one.startsWith('ok'));

  it.each<[string, Partial<DatabaseFacts>, string[]]>([
    ['that is well', {}, []],
    ['without an outbox', { outbox: undefined }, ['advice outbox']],
    ['with a backlog', { outbox: { ...outbox, oldestMs: 10_001 } }, ['error outbox-backlog']],
    ['with rows set aside', { outbox: { ...outbox, setAside: 1 } }, ['warning outbox-set-aside']],
    ['that no sweeper knows', { outbox: { ...outbox, state: undefined } }, ['warning sweeps']],
    ['that is not swept', { outbox: { ...outbox, state: { ...state, silentMs: 30_001 } } }, ['error sweeps']],
    ['that follows another Redis', { outbox: { ...outbox, state: { ...state, epoch: 'f' } } }, ['warning sweeps']],
    ['without triggers', { triggers: { ...triggers, functions: 0, triggers: 0 } }, ['advice triggers']],
    ['with functions alone', { triggers: { ...triggers, triggers: 0 } }, ['error triggers']],
    ['with a disabled trigger', { triggers: { ...triggers, disabled: ['grade'] } }, ['error triggers']],
    ['with an owner who may not', { triggers: { ...triggers, unable: ['f'] } }, ['error triggers']],
    [
      'that does not wait for its disk',
      { durable: { setting: 'synchronous_commit', value: 'off' } },
      ['advice database-durability'],
    ],
    [
      'of MariaDB that does not',
      { durable: { setting: 'innodb_flush_log_at_trx_commit', value: '2' }, triggers: undefined },
      ['advice database-durability'],
    ],
  ])('%s', (_name, more, findings) => expect(bad(more)).toEqual(findings));

  it('is not compared with a Redis that was not asked', () => expect(bad({}, undefined)).toEqual([]));

  it.each([
    ['1.1.1', ['ok typeorm-version']],
    ['0.3.31', ['ok typeorm-version', 'advice typeorm-remove-cascade']],
    ['0.3.19', ['error typeorm-version']],
    ['0.2.45', ['error typeorm-version']],
    ['2.0.0', ['error typeorm-version']],
    ['next', ['error typeorm-version']],
  ])('TypeORM %s: %j', (version, findings) => expect(said(judgeTypeorm(version))).toEqual(findings));
});

describe('what is shown', () => {
  const findings: Finding[] = [
    {
      code: 'b',
      severity: 'error',
      what: 'It is\u001B[2J broken.',
      meaning: 'much '.repeat(40).trim(),
      fix: 'Mend it.',
    },
    { code: 'a', severity: 'ok', what: 'It is well.' },
  ];

  it('has the worst last, wraps lines, and lets no control character through', () => {
    const text = findingsText(findings, { columns: 60, colours: false });
    expect(text).toMatch(/^ok       It is well\. \[a\]\nerror    It is\?\[2J broken\. \[b\]\n {9}much/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(text).toContain('Fix: Mend it.');
    expect(text).toContain('1 ok, 0 advice, 0 warning, 1 error');
  });

  it('is bad from a warning on', () => expect(findings.map(isBad)).toEqual([true, false]));
});
