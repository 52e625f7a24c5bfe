// Reads from a real streaming replica: as new as the report is taken for, or served and not stored.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { lsnDigits } from '../../../src/typeorm/replica-reads.js';
import { OWN } from '../../../src/typeorm/typeorm-like.js';
import { query } from '../../support/postgres-service.mjs';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, warm, type Node } from './support/lab.js';
import { startReplicated, type Replicated } from './support/replica.js';
import { createReportCache } from '../../../src/index.js';
import { UNKNOWN_LSN } from '../../../src/stores/redis/lua/guard.js';

let servers: Replicated;
let lab: Lab;
let source: DataSourceOptions;
beforeAll(async () => {
  servers = await startReplicated();
  lab = await Lab.over({ type: 'postgres', url: servers.primary.url }, async () => undefined);
  const { url } = servers.primary;
  source = { replication: { master: { url }, slaves: [{ url: servers.replicaUrl }] } } as unknown as DataSourceOptions;
});
afterAll(async () => {
  await lab.close();
  await servers.stop();
});
beforeEach(() => lab.reset());
afterEach(async () => {
  await servers.resume();
  await lab.closeNodes();
});

const write = ({ db }: Node, score = 99) => db.manager.save(Grade, { id: 1, studentId: 1, score });
const declined = (node: Node) => node.eventsOf('declined').map(({ reason }) => reason);
/** What the replica shows by itself. */
const onReplica = async () => (await query(servers.replicaUrl, 'SELECT score FROM grade WHERE id = 1'))[0]?.score as number; // prettier-ignore
const storedLsn = ({ redis }: Node) => redis.client.hget(`{${lab.namespace}}:t`, '!lsn');

describe('WAL positions as texts', () => {
  it('compare like the positions, and like those of the sweeper', async () => {
    const [row] = (await query(
      servers.primary.url,
      `SELECT '16/B374D848'::pg_lsn::text AS lsn, lpad(to_hex(('16/B374D848'::pg_lsn - '0/0'::pg_lsn)::bigint), 16, '0') AS digits`,
    )) as [{ lsn: string; digits: string }];
    expect(lsnDigits(row.lsn)).toBe(row.digits);
    expect(lsnDigits('0/C0') > lsnDigits('0/B0')).toBe(true);
    expect(lsnDigits('1/0') > lsnDigits('0/FFFFFFFF')).toBe(true);
  });
});

describe('a report that reads from the replica', () => {
  it('is stored and served while the replica keeps up', async () => {
    const node = await lab.node({ source });
    await warm(node);
    await write(node);
    expect((await node.read()).scores).toEqual([99]);
    await warm(node);
    expect(await node.read()).toEqual({ scores: [99], hit: true });
    expect(node.eventsOf('replicaLags')).toEqual([]);
  });

  it('RACE the replica lags: the report waits for it, and is stored with the new rows', async () => {
    const node = await lab.node({ source });
    await warm(node);
    await servers.pause();
    await write(node);
    const asked = new Promise<void>((resolve) =>
      node.db.subscribers.push({
        afterQuery: ({ query: sql }) => (sql.startsWith(`${OWN}SELECT pg_last_wal_replay_lsn`) ? resolve() : undefined),
      }),
    );
    const reading = node.read();
    await asked;
    expect(await onReplica()).toBe(10);
    await servers.resume();
    expect((await reading).scores).toEqual([99]);
    expect(await node.read()).toEqual({ scores: [99], hit: true });
  });

  it('RACE the replica does not catch up: the report is served, and never stored', async () => {
    const node = await lab.node({ source });
    await warm(node);
    await servers.pause();
    await write(node);
    expect(await node.read()).toEqual({ scores: [10], hit: false });
    expect(declined(node).at(-1)).toBe('replica');
    expect(node.eventsOf('replicaLags').at(-1)?.waitedMs).toBeGreaterThanOrEqual(1000);
    await servers.resume();
    await eventually('the replica', async () => (await onReplica()) === 99);
    expect((await node.read()).scores).toEqual([99]);
    await warm(node);
  });

  it('a report of several statements waits once, not once for each', async () => {
    const node = await lab.node({ source });
    await warm(node);
    await servers.pause();
    await write(node);
    const request = { type: 'student_progress', report: 'several', share: 'everyone' as const, tags: ['student:1'] };
    await node.reports.getOrLoad(request, async () => {
      for (let turn = 0; turn < 4; turn += 1) await node.db.manager.find(Grade);
      return [];
    });
    expect(node.eventsOf('replicaLags')).toHaveLength(1);
    expect(declined(node).at(-1)).toBe('replica');
  });

  it('of another process: it waits for what that one has written', async () => {
    const writer = await lab.node({ source });
    const reader = await lab.node({ source });
    await warm(reader);
    await servers.pause();
    await write(writer);
    expect(await reader.read()).toEqual({ scores: [10], hit: false });
    expect(declined(reader).at(-1)).toBe('replica');
  });
});

describe('what is known of the replica', () => {
  it('each write says what it needs, statements too', async () => {
    const node = await lab.node({ source });
    await warm(node);
    const before = String(await storedLsn(node));
    await write(node);
    const after = String(await storedLsn(node));
    expect(after).toMatch(/^[0-9a-f]{16}$/);
    expect(after > before).toBe(true);
    await node.db.manager.update(Grade, { id: 1 }, { score: 98 });
    expect(String(await storedLsn(node)) > after).toBe(true);
  });

  it('a commit that does not wait for its WAL is covered (synchronous_commit = off)', async () => {
    const node = await lab.node({ source: { ...source, extra: { options: '-c synchronous_commit=off' } } as object });
    await warm(node);
    for (let score = 100; score < 120; score += 1) {
      await write(node, score);
      expect((await node.read()).scores).toEqual([score]);
    }
  });

  it('after a write that says nothing no replica is believed, until a sweep says more', async () => {
    const node = await lab.node({ source });
    await warm(node);
    const observe = node.redis.hold('observe');
    // A process without the DataSource cannot know what a replica must show after this.
    const other = createReportCache({ redis: node.redis.client, namespace: lab.namespace, identify: () => null });
    await other.invalidate('student:1');
    await other.close();
    expect(await storedLsn(node)).toBe(UNKNOWN_LSN);
    expect(await node.read()).toEqual({ scores: [10], hit: false });
    expect(await node.read()).toEqual({ scores: [10], hit: false });
    expect(declined(node).at(-1)).toBe('replica');
    observe.open();
    await warm(node);
  });

  it('without replicas nothing is asked, although TypeORM calls every find one of a replica', async () => {
    const node = await lab.node();
    const asked: string[] = [];
    node.db.subscribers.push({ beforeQuery: ({ query: sql }) => void asked.push(sql) });
    await warm(node);
    await write(node);
    await node.read();
    expect(asked.filter((sql) => /pg_last_wal|pg_current_wal_insert_lsn\(\)::text/.test(sql))).toEqual([]);
    await warm(node);
  });

  it('reads inside a transaction go to the primary, and wait for nobody', async () => {
    const node = await lab.node({ source });
    await warm(node);
    await servers.pause();
    await write(node);
    const request = { type: 'student_progress', report: 'inside', share: 'everyone' as const, tags: ['student:1'] };
    const scores = await node.reports.getOrLoad(request, () =>
      node.db.transaction(async (manager) => (await manager.findBy(Grade, { id: 1 })).map(({ score }) => score)),
    );
    expect(scores).toEqual([99]);
    expect(node.eventsOf('replicaLags')).toEqual([]);
    expect(node.eventsOf('stored').length).toBeGreaterThan(0);
  });
});

it('FAULT the primary hangs: an invalidation by hand does not wait for its position longer than its limit', async () => {
  const node = await lab.node({ source });
  await warm(node);
  const query = node.db.query.bind(node.db);
  const hanging = (sql: string) => sql.includes('pg_current_wal');
  Object.assign(node.db, {
    query: (sql: string, parameters?: unknown[]) =>
      hanging(sql) ? new Promise(() => undefined) : query(sql, parameters),
  });
  await node.reports.invalidate('student:1');
  expect(node.eventsOf('invalidate').map(({ tags }) => tags)).toEqual([['student:1']]);
});
