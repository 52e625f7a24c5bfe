// What only a store in a database has: other processes beside it, an outbox, tables that must not grow for ever.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Position } from '../../src/contract/entry.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { gate } from '../support/gate.js';
import { PersistedDatabase, type Kind } from './support/persisted.js';

const HOUR_MS = 3_600_000;
const KEY = 'report:1:u1:x';

const KINDS: readonly Kind[] = ['postgres', 'mysql', 'sqljs'];

describe.each(KINDS)('entries in %s', (kind) => {
  if (kind === 'mysql' && !process.env['MYSQL_URL']) {
    it.todo('need MYSQL_URL or a server on 127.0.0.1:3306');
    return;
  }
  let database: PersistedDatabase;
  beforeAll(async () => {
    database = await PersistedDatabase.open(kind);
  });
  afterAll(() => database.close());

  const rows = async (table: 'entry' | 'tag', namespace: string): Promise<number> => {
    const [row] = (await database.source.query(
      `SELECT count(*) AS held FROM ${database.table(table)} WHERE namespace = '${namespace}'`,
    )) as { held: string }[];
    return Number(row?.held);
  };

  it('are found by another process, of the same version only', async () => {
    const { namespace, fill, close } = database.store();
    await fill(KEY);
    await close();
    const next = database.store({ namespace });
    expect(await next.look(KEY)).toBe('hit');
    const other = database.store({ namespace, version: '2' });
    expect(await other.look(KEY)).toBe('absent');
    await next.store.invalidate(['student:1']);
    expect(await next.look(KEY)).toBe('invalidated');
    await next.close();
    await other.close();
  });

  it('are as good as absent in a coding that this Node does not know, until the next is stored', async () => {
    const { namespace, fill, look, close } = database.store();
    await fill(KEY);
    const of = `${database.table('entry')} SET coding = 'later' WHERE namespace = '${namespace}'`;
    await database.source.query(`UPDATE ${of}`);
    expect(await look(KEY)).toBe('absent');
    await fill(KEY);
    expect(await look(KEY)).toBe('hit');
    await close();
  });

  it('RACE: stored after an invalidation that was compared before it, nobody is served them', async () => {
    const passed = gate();
    const reached = gate();
    const before = (sql: string) => {
      if (!sql.startsWith('INSERT INTO') || !sql.includes('report_cache_entry')) return undefined;
      reached.open();
      return passed.opened;
    };
    const slow = database.store({ before });
    const other = database.store({ namespace: slow.namespace });
    const position = await other.store.position();
    const putting = slow.store.put(KEY, makeEntry(position, database.clock.now()));
    await reached.opened;
    const done = other.store.invalidate(['student:1']);
    // The one connection of sql.js takes them one after the other.
    if (kind !== 'sqljs') await done;
    passed.open();
    await putting;
    await done;
    expect(await other.look(KEY)).toBe('invalidated');
    await slow.close();
    await other.close();
  });

  it('RACE: a position is not told before the tags that it counts can be seen', async () => {
    const passed = gate();
    const reached = gate();
    let writes = 0;
    const before = (sql: string) => {
      // Between the two, in whichever order they come; on PostgreSQL there is only one.
      if (/^(?:WITH moved|UPDATE \S*report_cache_position|INSERT INTO \S*report_cache_tag)/.test(sql)) writes += 1;
      if (writes !== (kind === 'postgres' ? 1 : 2)) return undefined;
      reached.open();
      return passed.opened;
    };
    const writer = database.store({ before });
    const reader = database.store({ namespace: writer.namespace });
    const inner = await reader.store.position();
    const invalidating = writer.store.invalidate(['inner:1']);
    await reached.opened;
    // A report begins that mixes in a value of before, which is still valid here.
    const outer = await reader.store.position();
    const entry = makeEntry(outer, database.clock.now(), { tags: ['outer:1', 'inner:1'] });
    const inherited = [{ tags: ['inner:1'], epoch: inner.epoch, asOf: inner.seq }];
    // It may be stored, because the writer has no answer yet; it must go with what it was made of.
    await reader.store.put(KEY, entry, inherited);
    passed.open();
    await invalidating;
    expect(await reader.look(KEY)).not.toBe('hit');
    await writer.close();
    await reader.close();
  });

  it('of many invalidations at once each is in force when its caller is answered', async () => {
    const { store, fill, look, close, namespace } = database.store();
    const other = database.store({ namespace });
    for (let turn = 0; turn < 8; turn += 1) await fill(`k${turn}`, { tags: [`student:${turn}`] });
    await Promise.all(
      Array.from({ length: 8 }, async (_, turn) => {
        await (turn % 2 === 0 ? store : other.store).invalidate([`student:${turn}`, 'table:grade']);
        expect(await look(`k${turn}`)).toBe('invalidated');
      }),
    );
    await close();
    await other.close();
  });

  it('with a tag or a key longer than the tables take harm no other', async () => {
    const { store, fill, look, close } = database.store();
    // Of chance, because PostgreSQL compresses what it puts into an index.
    const long = `student:${randomBytes(6000).toString('hex')}`;
    expect(await fill('long', { tags: [long] })).toBe('declined');
    const key = `report:${'k'.repeat(2000)}`;
    expect(await fill(key)).toBe('stored');
    await store.invalidate([long, 'other:1', `key:${key}`]);
    expect(await look(key)).toBe('invalidated');
    await close();
  });

  it('leave nothing behind: what is over goes by type, and tags that nothing needs', async () => {
    const { store, fill, look, close, namespace } = database.store();
    await store.invalidate(['early:1']);
    await fill('lives', { tags: ['student:1'], deleteAt: database.clock.now() + 10 * HOUR_MS });
    await fill('ends', { type: 'insight', tags: ['student:2'] });
    await fill('goes', { type: 'insight', tags: ['student:3'], deleteAt: database.clock.now() + 10 * HOUR_MS });
    await store.invalidate(['student:3', 'late:1']);
    const captured = await store.position();
    database.clock.advance(HOUR_MS + 1);
    await store.invalidate(['student:9']);
    expect(await store.prune()).toEqual({ insight: 2 });
    expect(await rows('entry', namespace)).toBe(1);
    // The one of a moment ago: a computation that began before it may still be offered.
    expect(await rows('tag', namespace)).toBe(1);
    expect(await look('lives')).toBe('hit');
    const old: Position = { ...captured, seq: captured.seq - 1 };
    expect(await store.put('old', makeEntry(old, database.clock.now(), { tags: ['student:3'] }))).toBe('stale');
    await store.invalidate(['student:1']);
    expect(await look('lives')).toBe('invalidated');
    expect(await store.prune()).toEqual({ default: 1 });
    await close();
  });

  it('stay within the budget of each owner and of all: the cheapest for their size go first', async () => {
    const body = Buffer.alloc(1000, 'x');
    const limits = { maxBytes: 12_000, maxBytesPerOwner: 5500 };
    const { fill, look, close } = database.store({ limits });
    await fill('dear', { body, computeMs: 60_000 });
    await fill('cheap', { body, computeMs: 10 });
    await fill('fair', { body, computeMs: 500 });
    expect(await look('cheap')).toBe('hit');
    await fill('fourth', { body, computeMs: 400 });
    expect([await look('dear'), await look('cheap'), await look('fair')]).toEqual(['hit', 'absent', 'hit']);
    expect(await fill('huge', { body: Buffer.alloc(6000) })).toBe('declined');
    for (let user = 0; user < 6; user += 1) await fill(`u${user}`, { body, owner: `u${user}`, computeMs: 5 + user });
    expect(await look('dear')).toBe('hit');
    expect(await look('u0')).toBe('absent');
    await close();
  });

  it('of a history that this server does not know are refused', async () => {
    const { store, fill, look, close, namespace } = database.store();
    await fill(KEY);
    const position = await store.position();
    // Another database was restored under it: its count has not come so far.
    await database.source.query(
      `UPDATE ${database.table('position')} SET seq = 0, floor = 0 WHERE namespace = '${namespace}'`,
    );
    await database.source.query(`UPDATE ${database.table('entry')} SET as_of = 7 WHERE namespace = '${namespace}'`);
    expect(await look(KEY)).toBe('invalidated');
    const elsewhere = { ...position, epoch: `${position.epoch.split('.')[0]}.anotherserver` };
    expect(await store.put(KEY, makeEntry(elsewhere, database.clock.now()))).toBe('epoch');
    await close();
  });

  if (kind === 'sqljs') {
    it('RACE: invalidated inside a transaction that is undone, they stay invalidated', async () => {
      const { store, fill, look, close } = database.store();
      await fill(KEY);
      const runner = database.source.createQueryRunner();
      await runner.startTransaction();
      // The write of another request; its own transaction, so TypeORM thinks, is over.
      await store.invalidate(['student:1']);
      await runner.rollbackTransaction();
      expect(await look(KEY)).toBe('invalidated');
      await close();
    });
    return;
  }

  it('are not served while an invalidation waits in the outbox, from the very commit on', async () => {
    const { fill, look, store, close, namespace } = database.store();
    await fill('a', { tags: ['student:1'] });
    await fill('b', { tags: ['student:10'] });
    await database.source.transaction(async (manager) => {
      await manager.query(
        `INSERT INTO ${database.table('outbox')} (namespace, tags) VALUES ('${namespace}', 'table:grade student:1')`,
      );
      expect([await look('a'), await look('b')]).toEqual(['hit', 'hit']);
    });
    // The process that has written it is dead.
    expect([await look('a'), await look('b')]).toEqual(['invalidated', 'hit']);
    await store.invalidate(['student:1']);
    await database.source.query(`DELETE FROM ${database.table('outbox')} WHERE namespace = '${namespace}'`);
    expect([await look('a'), await look('b')]).toEqual(['invalidated', 'hit']);
    await database.source.query(
      `INSERT INTO ${database.table('outbox')} (namespace, tags) VALUES ('${namespace}', '*')`,
    );
    expect(await look('b')).toBe('invalidated');
    await close();
  });

  it('are not served by whom the lock of the position keeps out, and the writer hears of it', async () => {
    const { store, fill, look, close, namespace } = database.store();
    await fill(KEY);
    const runner = database.source.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`SELECT seq FROM ${database.table('position')} WHERE namespace = '${namespace}' FOR UPDATE`);
    let answered = false;
    const done = store.invalidate(['student:1']).then(() => (answered = true));
    expect(await look(KEY)).toBe('hit');
    expect(answered).toBe(false);
    await runner.commitTransaction();
    await runner.release();
    await done;
    expect(await look(KEY)).toBe('invalidated');
    await close();
  });
});
