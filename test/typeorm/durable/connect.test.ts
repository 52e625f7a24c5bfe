// connect() and its options: when there is an outbox, when there cannot be one, and how sweeping begins and ends.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { createReportCache } from '../../../src/index.js';
import { outboxMigrations } from '../../../src/outbox/migrations.js';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, Student, warm, type Node } from './support/lab.js';

let lab: Lab;
let bare: Lab;
beforeAll(async () => {
  lab = await Lab.open('durable_connect');
  bare = await Lab.open('durable_bare', { tables: false });
});
afterAll(async () => {
  await lab.close();
  await bare.close();
});
beforeEach(() => Promise.all([lab.reset(), bare.reset()]));
afterEach(() => Promise.all([lab.closeNodes(), bare.closeNodes()]));

const write = ({ db }: Node, score = 99) => db.manager.save(Grade, { id: 1, studentId: 1, score });
const advice = (node: Node) => node.eventsOf('advice').filter(({ code }) => code === 'outbox-off');
/** How often this process has looked at Redis to sweep. */
const sweeps = async (node: Node) => (await node.reports.health()).outbox?.lastSuccess;

describe('durable: true demands it (ERC_OUTBOX)', () => {
  it('without the tables', async () => {
    const node = await bare.node({ connect: false });
    await expect(node.reports.connect(node.db, { durable: true })).rejects.toMatchObject({
      code: 'ERC_OUTBOX',
      message: expect.stringContaining('outboxMigrations'),
    });
  });

  it('without Redis', async () => {
    const reports = createReportCache({ identify: () => ({ user: 'u' }) });
    await expect(reports.connect(lab.outside, { durable: true })).rejects.toMatchObject({
      code: 'ERC_OUTBOX',
      message: expect.stringContaining('Without Redis'),
    });
    await reports.disconnect(lab.outside);
    await reports.close();
  });

  it('with a database that cannot hold it', async () => {
    const node = await bare.node({ connect: false });
    const other = await new DataSource({ type: 'sqljs', entities: [Student, Grade] }).initialize();
    await expect(node.reports.connect(other, { durable: true })).rejects.toMatchObject({
      code: 'ERC_OUTBOX',
      message: expect.stringContaining('sqljs'),
    });
    await other.destroy();
  });

  it('with a database that does not answer, which is not the same as having no tables', async () => {
    const node = await bare.node({ connect: false });
    const query = node.db.query.bind(node.db);
    Object.assign(node.db, {
      query: (sql: string, parameters?: unknown[]) =>
        sql.includes('pg_attribute') ? Promise.reject(new Error('too many clients')) : query(sql, parameters),
    });
    await expect(node.reports.connect(node.db, { durable: true })).rejects.toMatchObject({
      code: 'ERC_OUTBOX',
      message: expect.stringContaining('too many clients'),
    });
  });

  it('for a second DataSource: one outbox holds one cache', async () => {
    const node = await lab.node();
    const second = await new DataSource(lab.options).initialize();
    await expect(node.reports.connect(second, { durable: true })).rejects.toMatchObject({ code: 'ERC_OUTBOX' });
    await node.reports.connect(second);
    await warm(node);
    await second.manager.save(Grade, { id: 1, studentId: 1, score: 77 });
    expect((await node.read()).scores).toEqual([77]);
    expect(await lab.rows()).toEqual([]);
    await node.reports.disconnect(second);
    await second.destroy();
  });
});

describe('not demanded', () => {
  it('without the tables: an advice, and the cache works', async () => {
    const node = await bare.node();
    expect(advice(node)).toMatchObject([{ message: expect.stringContaining('outboxMigrations') }]);
    await warm(node);
    await write(node);
    expect((await node.read()).scores).toEqual([99]);
    expect(node.eventsOf('outboxFailed')).toEqual([]);
    expect(await node.reports.health()).toEqual({ state: 'ready', reasons: [], pending: 0, late: 0 });
  });

  it('is on once the tables are there and connect() is called again', async () => {
    const node = await bare.node();
    const more = { ...bare.options, migrations: [...outboxMigrations] };
    const migrating = await new DataSource(more as typeof bare.options).initialize();
    await migrating.runMigrations();
    await node.reports.connect(node.db);
    expect((await node.reports.health()).outbox).toMatchObject({ adoption: 'adopted' });
    await migrating.undoLastMigration();
    await migrating.destroy();
  });

  it('false: silent', async () => {
    const node = await lab.node({ connect: { durable: false } });
    expect(advice(node)).toEqual([]);
    expect((await node.reports.health()).outbox).toBeUndefined();
    await warm(node);
    const bump = node.redis.hold('bump');
    const writing = write(node);
    await bump.arrived;
    expect(await lab.rows()).toEqual([]);
    bump.open();
    await writing;
  });
});

describe('the life of a connection', () => {
  it('two calls at the same time begin to sweep once', async () => {
    const node = await lab.node({ connect: false, cache: { lambda: '300ms' } });
    await Promise.all([node.reports.connect(node.db), node.reports.connect(node.db)]);
    expect(node.eventsOf('adopted')).toHaveLength(1);
    await node.reports.disconnect(node.db);
    const observe = node.redis.hold('observe');
    let swept = false;
    void observe.arrived.then(() => (swept = true));
    // More than twice the period of a sweeper that was left behind.
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(swept).toBe(false);
  });

  it('disconnect() ends sweeping, and connect() begins it again', async () => {
    const node = await lab.node({ cache: { lambda: '300ms' } });
    await warm(node);
    await node.reports.disconnect(node.db);
    expect(await sweeps(node)).toBeUndefined();
    const observe = node.redis.hold('observe');
    let swept = false;
    void observe.arrived.then(() => (swept = true));
    await eventually('a dead watermark', async () => (await node.reports.health()).state === 'down');
    expect(swept).toBe(false);
    observe.open();
    await node.reports.connect(node.db);
    await warm(node);
    await write(node);
    expect((await node.read()).scores).toEqual([99]);
  });

  it('goes on after destroy() and initialize()', async () => {
    const node = await lab.node({ cache: { lambda: '600ms' } });
    await warm(node);
    await node.db.destroy();
    await eventually('a failed sweep', () => node.eventsOf('sweepFailed').length > 0);
    await node.db.initialize();
    await warm(node);
    const bump = node.redis.hold('bump');
    const writing = write(node);
    await bump.arrived;
    expect(await lab.rows()).toHaveLength(1);
    bump.open();
    await writing;
    expect((await node.read()).scores).toEqual([99]);
    await eventually('an empty outbox', async () => (await lab.rows()).length === 0);
  });

  it('close() waits until what was told is out of the database', async () => {
    const node = await lab.node();
    await Promise.all([1, 2, 3, 4, 5].map((score) => write(node, score)));
    await node.reports.close();
    expect(await lab.rows()).toEqual([]);
    expect((await node.reports.health()).reasons).toEqual(['closed']);
  });

  it('Redis is not connected yet: it is swept as soon as it is', async () => {
    // A third of lambda, the period, is longer than this test may take.
    const node = await lab.node({ connect: false, cache: { lambda: '300s' } });
    node.redis.client.disconnect();
    await eventually('no connection', () => node.redis.status === 'end');
    const connecting = node.reports.connect(node.db);
    await eventually('a failed sweep', () => node.eventsOf('sweepFailed').length > 0);
    await node.redis.client.connect();
    await connecting;
    await warm(node);
    expect((await node.reports.health()).state).toBe('ready');
  });
});

describe('rules and triggers are looked at again', () => {
  it('after the DataSource was destroyed nothing is looked at, nothing thrown, and the process lives', async () => {
    const node = await lab.node();
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', note);
    await node.db.destroy();
    node.reports.cascade(Student, { tutor: 'tutorId' });
    await eventually('the look', () => node.eventsOf('advice').some(({ code }) => code === 'trigger-check'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

it('a start tells of no watermark that died: there was none before', async () => {
  const node = await lab.node();
  await warm(node);
  expect(node.eventsOf('watermark')).toEqual([]);
});
