// What the outbox must do on every database that can hold it.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { QueryRunner } from 'typeorm';
import type { Ask, OutboxState, Scan } from '../../../src/contract/outbox.js';
import { isInstalled } from '../../../src/outbox/migrations.js';
import type { SqlOutbox } from '../../../src/outbox/sql-outbox.js';
import type { Database } from './databases.js';

const OPEN_MS = 30_000;

export function sqlOutboxSuite(openDatabase: () => Promise<Database>): void {
  let database: Database;
  beforeAll(async () => {
    database = await openDatabase();
  }, OPEN_MS);
  afterAll(async () => database.close());

  const asked =
    (runner: QueryRunner): Ask =>
    (sql, parameters) =>
      runner.query(sql, parameters);
  const adopted = async (outbox: SqlOutbox, epoch = 'e1'): Promise<Scan> => {
    const { state, incarnation } = await outbox.scan(1);
    await outbox.adopt(state, { generation: state.generation + 1, epoch, incarnation });
    return outbox.scan(1000);
  };
  const waiting = async (outbox: SqlOutbox): Promise<readonly string[]> =>
    (await outbox.scan(1000)).rows.map(({ id }) => id);

  describe('rows', () => {
    it('are written in the transaction that they belong to, and vanish with its rollback', async () => {
      const { outbox } = database.outbox();
      const runner = database.source.createQueryRunner();
      await runner.startTransaction();
      const lost = await outbox.write(asked(runner), ['student:1']);
      expect(await waiting(outbox)).toEqual([]);
      await runner.rollbackTransaction();
      await runner.startTransaction();
      const kept = await outbox.write(asked(runner), ['student:2', 'table:grade']);
      await runner.commitTransaction();
      await runner.release();
      const { rows, count } = await outbox.scan(10);
      expect(rows).toEqual([
        { id: kept, tags: ['student:2', 'table:grade'], intent: false, ageMs: expect.any(Number) },
      ]);
      expect(count).toBe(1);
      expect(await outbox.isGone(database.ask, lost)).toBe(true);
      expect(await outbox.isGone(database.ask, kept)).toBe(false);
    });

    it('that cannot be written leave the transaction as it was', async () => {
      const { outbox } = database.outbox();
      const runner = database.source.createQueryRunner();
      await runner.startTransaction();
      const before = await outbox.write(asked(runner), ['a:1']);
      const broken = database.outbox({ schema: 'nowhere' });
      await expect(broken.outbox.write(asked(runner), ['a:2'])).rejects.toThrow();
      const after = await outbox.write(asked(runner), ['a:3']);
      await runner.commitTransaction();
      await runner.release();
      expect(await waiting(outbox)).toEqual([before, after]);
    });

    it('show their age by the clock of the database', async () => {
      const { outbox } = database.outbox();
      await outbox.write(database.ask, ['student:1']);
      const [row] = (await outbox.scan(10)).rows;
      expect(row?.ageMs).toBeGreaterThanOrEqual(0);
      expect(row?.ageMs).toBeLessThan(60_000);
    });

    it('come in the order of their ids, whichever was committed first, and never another namespace', async () => {
      const { outbox } = database.outbox();
      const other = database.outbox();
      const runner = database.source.createQueryRunner();
      await runner.startTransaction();
      const first = await outbox.write(asked(runner), ['student:1']);
      const second = await outbox.write(database.ask, ['student:2']);
      await other.outbox.write(database.ask, ['student:3']);
      expect(await waiting(outbox)).toEqual([second]);
      await runner.commitTransaction();
      await runner.release();
      expect(await waiting(outbox)).toEqual([first, second]);
      expect((await outbox.scan(1)).rows.map(({ id }) => id)).toEqual([first]);
      expect((await outbox.scan(1)).count).toBe(2);
    });

    it('written before a statement outside transactions say so', async () => {
      const { outbox } = database.outbox();
      await outbox.intend(database.ask, ['table:grade']);
      expect((await outbox.scan(10)).rows[0]).toMatchObject({ intent: true, tags: ['table:grade'] });
    });

    it('that nobody can read show no tags, and are set aside', async () => {
      const { outbox, namespace } = database.outbox();
      await outbox.write(database.ask, ['no tag']);
      await outbox.write(database.ask, ['*']);
      const { rows } = await outbox.scan(10);
      expect(rows.map(({ tags }) => tags)).toEqual([undefined, ['*']]);
      const [poison, good] = rows.map(({ id }) => id) as [string, string];
      await outbox.setAside([poison], 'unreadable tags');
      expect(await waiting(outbox)).toEqual([good]);
      const kept = await plain(
        `SELECT set_aside AS why FROM ${database.table('outbox')} WHERE namespace = '${namespace}' AND set_aside IS NOT NULL`,
      );
      expect(kept).toEqual([{ why: 'unreadable tags' }]);
    });

    it('with more tags than fit mean everything', async () => {
      const { outbox } = database.outbox();
      const many = Array.from({ length: 10_000 }, (_, number) => `student:${number}`);
      await outbox.write(database.ask, many);
      expect((await outbox.scan(10)).rows[0]?.tags).toEqual(['*']);
    });
  });

  describe('rows of triggers', () => {
    it('are found by the connection that they were written on', async () => {
      const { outbox, namespace } = database.outbox();
      const [mine, other] = [database.source.createQueryRunner(), database.source.createQueryRunner()];
      const trigger = `INSERT INTO ${database.table('outbox')} (namespace, tags, source) VALUES ('${namespace}', 'student:7 table:grade', 'trigger')`;
      await other.query(trigger);
      await mine.query(trigger);
      await mine.query(trigger);
      await outbox.write(asked(mine), ['student:1']);
      const found = await outbox.byTriggers(asked(mine));
      expect(found.tags).toEqual(['student:7', 'table:grade']);
      expect(found.ids).toHaveLength(2);
      await mine.release();
      await other.release();
    });

    it('that are in force and on their way out are not told again with the next write', async () => {
      const { outbox, namespace } = database.outbox();
      const { epoch } = (await adopted(outbox)).state;
      const runner = database.source.createQueryRunner();
      const trigger = (tags: string) =>
        runner.query(
          `INSERT INTO ${database.table('outbox')} (namespace, tags, source) VALUES ('${namespace}', '${tags}', 'trigger')`,
        );
      await trigger('student:1');
      const first = await outbox.byTriggers(asked(runner));
      outbox.told(first.ids, epoch);
      await trigger('student:2');
      const second = await outbox.byTriggers(asked(runner));
      expect(second).toMatchObject({ tags: ['student:2'], ids: [expect.not.stringMatching(`^${first.ids[0]}$`)] });
      outbox.told(second.ids, epoch);
      await outbox.close();
      expect(await waiting(outbox)).toEqual([]);
      await runner.release();
    });

    it('too many for one writer mean everything', async () => {
      const { outbox, namespace } = database.outbox();
      const runner = database.source.createQueryRunner();
      const values = Array.from({ length: 1100 }, () => `('${namespace}', 'student:7', 'trigger')`).join(', ');
      await runner.query(`INSERT INTO ${database.table('outbox')} (namespace, tags, source) VALUES ${values}`);
      const found = await outbox.byTriggers(asked(runner));
      expect(found.tags).toEqual(['*']);
      expect(found.ids).toHaveLength(1001);
      await runner.release();
    });

    it('that are not there name nothing', async () => {
      expect(await database.outbox().outbox.byTriggers(database.ask)).toEqual({ ids: [], tags: [] });
    });
  });

  describe('the fence', () => {
    it('lets rows be taken out only under the true epoch', async () => {
      const { outbox } = database.outbox();
      await adopted(outbox, 'e1');
      const ids = [await outbox.write(database.ask, ['a:1']), await outbox.write(database.ask, ['a:2'])];
      expect(await outbox.remove(ids, 'e0')).toBe(0);
      expect(await waiting(outbox)).toEqual(ids);
      expect(await outbox.remove(ids, 'e1')).toBe(2);
      expect(await waiting(outbox)).toEqual([]);
    });

    it('holds what writers have told, at once and in the background', async () => {
      const { outbox } = database.outbox();
      await adopted(outbox, 'e1');
      const [a, b, c] = [
        await outbox.write(database.ask, ['a:1']),
        await outbox.write(database.ask, ['a:2']),
        await outbox.write(database.ask, ['a:3']),
      ] as const;
      expect(await outbox.toldNow(database.ask, [a], 'e0')).toBe(false);
      outbox.told([b], 'e0');
      outbox.told([c], 'e1');
      await outbox.close();
      expect(await waiting(outbox)).toEqual([a, b]);
      expect(await outbox.toldNow(database.ask, [a], 'e1')).toBe(true);
      // Taken out by somebody else under the same epoch.
      expect(await outbox.toldNow(database.ask, [a], 'e1')).toBe(true);
      outbox.withdraw([b]);
      await outbox.close();
      expect(await waiting(outbox)).toEqual([]);
    });

    it('notes sweeps under the true epoch only, and never a lower number', async () => {
      const { outbox } = database.outbox();
      await adopted(outbox, 'e1');
      expect(await outbox.swept('e1', 12)).toBe(true);
      expect(await outbox.swept('e1', 11)).toBe(true);
      expect(await outbox.swept('e0', 99)).toBe(false);
      expect((await outbox.scan(1)).state).toMatchObject({ epoch: 'e1', seq: 12 });
    });

    it('belongs to the namespace', async () => {
      const { outbox } = database.outbox();
      const other = database.outbox();
      await adopted(outbox, 'e1');
      await adopted(other.outbox, 'e2');
      const id = await outbox.write(database.ask, ['a:1']);
      expect(await outbox.remove([id], 'e2')).toBe(0);
      expect(await other.outbox.remove([id], 'e2')).toBe(0);
      expect(await waiting(outbox)).toEqual([id]);
    });
  });

  describe('adoption', () => {
    it('begins without a generation', async () => {
      const { state, incarnation } = await database.outbox().outbox.scan(1);
      expect(state).toMatchObject({ generation: 0, epoch: '', seq: 0, incarnation: '' });
      expect(incarnation).not.toBe('');
    });

    it('is won by one of many', async () => {
      const { outbox } = database.outbox();
      const { state, incarnation } = await outbox.scan(1);
      const tries = Array.from({ length: 8 }, (_, number) =>
        outbox.adopt(state, { generation: 1, epoch: `e${number}`, incarnation }),
      );
      const won = (await Promise.all(tries)).map((one, number) => (one ? `e${number}` : '')).filter(Boolean);
      expect(won).toHaveLength(1);
      expect((await outbox.scan(1)).state).toMatchObject({ generation: 1, epoch: won[0], seq: 0, incarnation });
    });

    it('counts silence from the last sweep', async () => {
      const { outbox, namespace } = database.outbox();
      expect((await adopted(outbox)).state.silentMs).toBeLessThan(60_000);
      const past =
        database.dialect.name === 'postgres' ? `now() - interval '1 hour'` : 'UTC_TIMESTAMP(6) - INTERVAL 1 HOUR';
      await plain(`UPDATE ${database.table('state')} SET swept_at = ${past} WHERE namespace = '${namespace}'`);
      const silentMs = (await outbox.scan(1)).state.silentMs;
      expect(silentMs).toBeGreaterThanOrEqual(3_600_000);
      expect(silentMs).toBeLessThan(3_700_000);
      await outbox.swept('e1', 1);
      expect((await outbox.scan(1)).state.silentMs).toBeLessThan(60_000);
    });

    it('knows one server by one name, whatever the session', async () => {
      const { outbox } = database.outbox();
      const names = new Set<string>();
      for (let count = 0; count < 20; count += 1) names.add((await outbox.scan(1)).incarnation);
      const runner = database.source.createQueryRunner();
      await runner.query(
        database.dialect.name === 'postgres' ? `SET TIME ZONE 'Asia/Tokyo'` : `SET time_zone = '+09:00'`,
      );
      const away = database.outbox({ ask: asked(runner) });
      const id = await away.outbox.write(asked(runner), ['a:1']);
      const scan = await away.outbox.scan(10);
      names.add(scan.incarnation);
      expect(names.size).toBe(1);
      expect(scan.rows[0]?.id).toBe(id);
      expect(scan.rows[0]?.ageMs).toBeLessThan(60_000);
      await runner.query(
        database.dialect.name === 'postgres' ? 'RESET TIME ZONE' : 'SET time_zone = @@global.time_zone',
      );
      await runner.release();
    });
  });

  describe('the bound', () => {
    it('puts one row in the place of all that were there before it', async () => {
      const { outbox } = database.outbox();
      for (let count = 0; count < 5; count += 1) await outbox.write(database.ask, ['a:1']);
      expect(await outbox.collapse()).toBe(5);
      expect((await outbox.scan(10)).rows).toEqual([expect.objectContaining({ tags: ['*'], intent: false })]);
    });

    it('goes on announcing if one of them announced', async () => {
      const { outbox } = database.outbox();
      await outbox.write(database.ask, ['a:1']);
      await outbox.intend(database.ask, ['a:2']);
      await outbox.collapse();
      expect((await outbox.scan(10)).rows).toEqual([expect.objectContaining({ tags: ['*'], intent: true })]);
    });

    it('spares what is committed after the row that replaces the others', async () => {
      const runner = database.source.createQueryRunner();
      const ask: Ask = async (sql, parameters) => {
        if (sql.startsWith('DELETE')) await runner.commitTransaction();
        return database.ask(sql, parameters);
      };
      const { outbox } = database.outbox({ ask });
      await runner.startTransaction();
      const open = await outbox.write(asked(runner), ['a:1']);
      await outbox.write(database.ask, ['a:2']);
      expect(await outbox.collapse()).toBe(1);
      await runner.release();
      const { rows } = await outbox.scan(10);
      expect(rows.map(({ id, tags }) => (id === open ? 'open' : tags))).toEqual(['open', ['*']]);
    });

    it('keeps a thousand unreadable rows, no more', async () => {
      const { outbox, namespace } = database.outbox();
      const insert = async (): Promise<string[]> => {
        const values = Array.from({ length: 1000 }, () => `('${namespace}', '?')`).join(', ');
        await plain(`INSERT INTO ${database.table('outbox')} (namespace, tags) VALUES ${values}`);
        return (await outbox.scan(1000)).rows.map(({ id }) => id);
      };
      await outbox.setAside(await insert(), 'unreadable tags');
      await outbox.setAside(await insert(), 'unreadable tags');
      const [row] = await plain(
        `SELECT count(*) AS n FROM ${database.table('outbox')} WHERE namespace = '${namespace}'`,
      );
      expect(Number(row?.['n'])).toBe(1000);
    });
  });

  describe('the background', () => {
    it('takes out what many writers told with few statements', async () => {
      let deletes = 0;
      const ask: Ask = (sql, parameters) => {
        if (sql.startsWith('DELETE')) deletes += 1;
        return database.ask(sql, parameters);
      };
      const { outbox } = database.outbox({ ask });
      await adopted(outbox, 'e1');
      const ids = await Promise.all(Array.from({ length: 50 }, () => outbox.write(database.ask, ['a:1'])));
      for (const id of ids) outbox.told([id], 'e1');
      await outbox.close();
      expect(await waiting(outbox)).toEqual([]);
      expect(deletes).toBe(1);
    });

    it('leaves to the sweeper what the database refuses', async () => {
      const ask: Ask = (sql, parameters) =>
        sql.startsWith('DELETE') ? Promise.reject(new Error('deadlock')) : database.ask(sql, parameters);
      const { outbox, events } = database.outbox({ ask });
      const { state } = (await adopted(outbox, 'e1')) satisfies { state: OutboxState };
      const id = await outbox.write(database.ask, ['a:1']);
      outbox.told([id], state.epoch);
      await outbox.close();
      expect(await waiting(outbox)).toEqual([id]);
      expect(events).toEqual([{ kind: 'outboxFailed', operation: 'told', error: 'deadlock' }]);
    });
  });

  it("many writers and sweepers at once leave no row behind, lose none, and stand in nobody's way", async () => {
    const { outbox, events } = database.outbox();
    await adopted(outbox, 'e1');
    let writing = 8;
    const write = async (): Promise<void> => {
      for (let count = 0; count < 25; count += 1) {
        const runner = database.source.createQueryRunner();
        await runner.startTransaction();
        const id = await outbox.write(asked(runner), [`student:${count}`]);
        if (count % 5 === 4) await runner.rollbackTransaction();
        else await runner.commitTransaction();
        await runner.release();
        outbox.told([id], 'e1');
      }
      writing -= 1;
    };
    const sweepAgain = async (): Promise<void> => {
      while (writing > 0) {
        const { rows } = await outbox.scan(100);
        await outbox.remove(
          rows.map(({ id }) => id),
          'e1',
        );
        expect(await outbox.swept('e1', 1)).toBe(true);
      }
    };
    await Promise.all([...Array.from({ length: 8 }, write), sweepAgain(), sweepAgain()]);
    await outbox.close();
    expect((await outbox.scan(10)).count).toBe(0);
    expect(events).toEqual([]);
  });

  describe('the migration', () => {
    it('is seen to be there', async () => {
      expect(await isInstalled(database.ask, database.dialect, database.schema)).toBe(true);
      expect(await isInstalled(database.ask, database.dialect, 'nowhere')).toBe(false);
    });

    it('goes and comes, and a table of another form is not taken for it', async () => {
      await database.source.undoLastMigration();
      const installed = (): Promise<boolean> => isInstalled(database.ask, database.dialect, database.schema);
      expect(await installed()).toBe(false);
      await database.source.runMigrations();
      expect(await installed()).toBe(true);
      await plain(`ALTER TABLE ${database.table('state')} DROP COLUMN incarnation`);
      expect(await installed()).toBe(false);
      await database.source.undoLastMigration();
      await database.source.runMigrations();
    });
  });

  async function plain(sql: string): Promise<Record<string, unknown>[]> {
    return (await database.source.query(sql)) as Record<string, unknown>[];
  }
}
