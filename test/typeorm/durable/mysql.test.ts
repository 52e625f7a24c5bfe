// The same on a real MySQL or MariaDB: rows, announcements, faults.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSourceOptions } from 'typeorm';
import { queryMysql } from '../../support/mysql-service.mjs';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, warm, type Node } from './support/lab.js';

const server = process.env['MYSQL_URL'];

(server === undefined ? describe.skip : describe)('MySQL and MariaDB', () => {
  let lab: Lab;
  let node: Node;
  beforeAll(async () => {
    const url = new URL(String(server));
    const name = `erc_durable_${process.pid}`;
    await queryMysql(String(server), `DROP DATABASE IF EXISTS ${name}`);
    await queryMysql(String(server), `CREATE DATABASE ${name}`);
    url.pathname = `/${name}`;
    const options = { type: 'mysql', url: url.href } as DataSourceOptions;
    lab = await Lab.over(options, () => queryMysql(String(server), `DROP DATABASE ${name}`).then(() => undefined));
  });
  afterAll(() => lab.close());
  beforeEach(async () => {
    await lab.reset();
    node = await lab.node();
    await warm(node);
  });
  afterEach(() => lab.closeNodes());

  const noRows = () => eventually('an empty outbox', async () => (await lab.rows()).length === 0);
  const grade = { id: 1, studentId: 1, score: 99 };

  it('a row in the same transaction: seen after COMMIT, gone when Redis has been told', async () => {
    const seen: number[] = [];
    node.db.subscribers.push({
      beforeQuery: async ({ query }) => void (query === 'COMMIT' && seen.push((await lab.rows()).length)),
    });
    const bump = node.redis.hold('bump');
    const writing = node.db.manager.save(Grade, grade);
    await bump.arrived;
    expect(seen).toEqual([0]);
    expect(await lab.rows()).toEqual([{ tags: 'student:1 table:grade tutor:*', intent: false }]);
    bump.open();
    await writing;
    expect((await node.read()).scores).toEqual([99]);
    await noRows();
  });

  it('rolled back: no row, and the cache is warm', async () => {
    const attempt = node.db.transaction(async (manager) => {
      await manager.save(Grade, grade);
      throw new Error('changed my mind');
    });
    await expect(attempt).rejects.toThrow('changed my mind');
    await noRows();
    expect(await node.read()).toEqual({ scores: [10], hit: true });
  });

  it('a statement announces itself before, and withdraws after', async () => {
    const holder = lab.outside.createQueryRunner();
    await holder.startTransaction();
    await holder.query('SELECT * FROM grade WHERE id = 1 FOR UPDATE');
    const writing = node.db.manager.update(Grade, { id: 1 }, { score: 99 });
    await eventually('the announcement', async () => (await lab.rows()).length > 0);
    expect(await lab.rows()).toEqual([{ tags: 'student:* table:grade tutor:*', intent: true }]);
    expect(await lab.score()).toBe(10);
    await holder.commitTransaction();
    await holder.release();
    await writing;
    expect((await node.read()).scores).toEqual([99]);
    await noRows();
  });

  it('a refused statement takes its announcement back', async () => {
    await expect(node.db.manager.insert(Grade, grade)).rejects.toThrow('Duplicate');
    await noRows();
    expect(await node.read()).toEqual({ scores: [10], hit: true });
  });

  it('RACE crash before the invalidation: another process brings it into force', async () => {
    const other = await lab.node({ cache: { lambda: '900ms' } });
    await warm(other);
    const observe = node.redis.hold('observe');
    const bump = node.redis.hold('bump');
    const writing = node.db.manager.save(Grade, grade);
    await bump.arrived;
    await eventually('the new report', async () => (await other.read()).scores[0] === 99);
    observe.open();
    bump.open();
    await writing;
    await noRows();
    expect((await node.read()).scores).toEqual([99]);
  });

  it('the outbox cannot be written: the transaction commits all the same', async () => {
    await lab.outside.query('RENAME TABLE report_cache_outbox TO hidden');
    await node.db.manager.save(Grade, grade);
    await lab.outside.query('RENAME TABLE hidden TO report_cache_outbox');
    expect(await lab.score()).toBe(99);
    expect((await node.read()).scores).toEqual([99]);
    expect(node.eventsOf('outboxFailed').map(({ operation }) => operation)).toContain('write');
  });

  it('marks: nobody is served between the mark and the invalidation', async () => {
    const marking = await lab.node({ cache: { mark: true } });
    await warm(marking);
    const bump = marking.redis.hold('bump');
    const writing = marking.db.manager.save(Grade, grade);
    await bump.arrived;
    expect(await node.read()).toEqual({ scores: [99], hit: false });
    bump.open();
    await writing;
  });
});
