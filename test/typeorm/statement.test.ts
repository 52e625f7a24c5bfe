// What SQL text is taken to do: provably nothing, certain tables, or anything.
import { describe, expect, it } from '@jest/globals';
import { safeFunctions } from '../../src/typeorm/safe-functions.js';
import { flavourOf } from '../../src/typeorm/sql-tokens.js';
import { effects } from '../../src/typeorm/statement.js';

const safe = safeFunctions(undefined, ['app_reads']);
const read = (sql: string, type = 'postgres'): unknown[] =>
  effects(sql, flavourOf(type), safe).map((effect) =>
    effect.kind === 'write' ? `${effect.verb} ${effect.table}` : effect.kind === 'unknown' ? 'anything' : effect.kind,
  );

describe('§9.10 reads', () => {
  it.each([
    `SELECT 1`,
    `select "g"."id", count(*) FROM "grade" "g" WHERE "g"."id" IN ($1, $2) GROUP BY 1 HAVING max(x) > 2`,
    `SELECT * FROM grade FOR UPDATE`,
    `SELECT * FROM grade FOR NO KEY UPDATE OF grade SKIP LOCKED`,
    `SELECT 'DELETE FROM grade', "UPDATE grade SET" FROM t -- ; DROP TABLE grade`,
    `SELECT /* UPDATE grade SET x = 1 /* nested */ ; */ 1`,
    `SELECT $$ ; DELETE FROM grade $$, $tag$ '; UPDATE $tag$, E'\\'; DELETE FROM grade'`,
    `WITH x AS (SELECT 1), y(a, b) AS MATERIALIZED (SELECT 1, 2) SELECT * FROM x, y`,
    `WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t`,
    `SELECT app_reads(1), CAST(x AS varchar(20)), y::numeric(10, 2) FROM unnest($1) u(a)`,
    `(SELECT 1) UNION (SELECT 2)`,
    `VALUES (1), (2)`,
    `TABLE grade`,
    `SHOW server_version`,
    `EXPLAIN DELETE FROM grade`,
    `SET search_path = public`,
    `SAVEPOINT a`,
    `RELEASE SAVEPOINT a`,
    `ROLLBACK TO SAVEPOINT a`,
    `LISTEN x; NOTIFY x`,
    `COPY grade TO STDOUT`,
    `COPY (SELECT 1) TO STDOUT`,
    `CREATE INDEX i ON grade (score)`,
    `CREATE TEMP TABLE t AS SELECT 1`,
    `PREPARE p AS SELECT 1`,
    `PRAGMA foreign_keys = ON`,
    ``,
    `;;`,
  ])('%s', (sql) => expect(read(sql)).toEqual([]));
});

describe('§9.10 writes', () => {
  it.each<[string, string[]]>([
    [`INSERT INTO "school"."grade"("a", "b") VALUES ($1, DEFAULT), ($2, now()) RETURNING "id"`, ['insert grade']],
    [`INSERT INTO Grade SELECT * FROM other`, ['insert grade']],
    [`INSERT INTO "Grade" DEFAULT VALUES`, ['insert Grade']],
    [`UPDATE ONLY grade AS g SET score = 1 FROM student WHERE true`, ['update grade']],
    [`UPDATE "grade" SET "score" = coalesce($1, 2)`, ['update grade']],
    [`DELETE FROM ONLY school.grade USING student`, ['delete grade']],
    [`TRUNCATE TABLE grade, "school"."student" CASCADE`, ['truncate grade', 'truncate student']],
    [`COPY grade (a, b) FROM STDIN`, ['insert grade']],
    [
      `MERGE INTO grade USING x ON true WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)`,
      ['delete grade'],
    ],
    [
      `WITH gone AS (DELETE FROM grade RETURNING *), more AS (INSERT INTO log SELECT 1 FROM gone) SELECT 1`,
      ['delete grade', 'insert log'],
    ],
    [`WITH x AS (SELECT 1) UPDATE grade SET a = 1`, ['update grade']],
    [`EXPLAIN ANALYZE UPDATE grade SET a = 1`, ['update grade']],
    [`EXPLAIN (ANALYZE, BUFFERS) DELETE FROM grade`, ['delete grade']],
    [`SELECT 1; UPDATE grade SET a = ';'; SELECT 2`, ['update grade']],
    [`/* hint */ update grade set a = 1`, ['update grade']],
    [`REFRESH MATERIALIZED VIEW CONCURRENTLY progress`, ['update progress']],
    [`BEGIN; DELETE FROM grade; COMMIT`, ['begin', 'delete grade', 'commit']],
    [`UPDATE audit_log SET a = 1`, ['update audit_log']],
  ])('%s', (sql, expected) => expect(read(sql)).toEqual(expected));

  it.each([
    [`INSERT INTO t(a) VALUES (1), (f), ((2))`, 3, false],
    [`INSERT INTO t(a) VALUES (DEFAULT) ON CONFLICT ( "id" ) DO UPDATE SET a = EXCLUDED.a`, 1, true],
    [`INSERT OR IGNORE INTO t(a) VALUES (1)`, 1, true],
    [`INSERT INTO t(a) OVERRIDING SYSTEM VALUE VALUES (1)`, 1, false],
    [`INSERT INTO t DEFAULT VALUES`, 1, false],
    [`INSERT INTO t(a) SELECT 1`, undefined, false],
  ])('%s: rows and conflict', (sql, rows, conflict) => {
    const [effect] = effects(sql, flavourOf('postgres'), safe);
    expect(effect).toMatchObject({ kind: 'write', verb: 'insert', table: 't', conflict });
    expect(effect && 'rows' in effect ? effect.rows : undefined).toBe(rows);
  });
});

describe('§9.10 what could be anything', () => {
  it.each([
    `SELECT do_something()`,
    `SELECT * FROM report.refresh_all(1)`,
    `SELECT "Fn"(1)`,
    `UPDATE grade SET score = writes_elsewhere(1)`,
    `DO $$ BEGIN DELETE FROM grade; END $$`,
    `CALL archive()`,
    `EXECUTE p`,
    `SELECT * INTO copy FROM grade`,
    `CREATE TABLE x (a int)`,
    `ALTER TABLE grade ADD x int`,
    `DROP TABLE grade`,
    `COMMIT PREPARED 'x'`,
    `SELECT 'unterminated`,
    `UPDATE a, b SET a.x = 1`,
    `WITH x AS (SELECT fn(1)) SELECT * FROM x`,
    `CREATE TEMP TABLE t AS SELECT fn()`,
    `gibberish`,
  ])('%s', (sql) => expect(read(sql)).toContain('anything'));

  it('MySQL executes what looks like a comment', () => {
    expect(read(`SELECT 1 /*! ; DELETE FROM grade */`, 'mysql')).toEqual(['anything']);
    expect(read(`SELECT 'it\\'s'; DELETE FROM grade`, 'mysql')).toEqual(['delete grade']);
  });
});
