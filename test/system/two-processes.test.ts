// Two processes over one PostgreSQL and one Redis: what one commits, the other never serves the old of.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { tag } from '../../src/index.js';
import { startPrivateRedis } from '../support/private-redis.js';
import { Grade, School, Student, type Process } from './school.js';

let school: School;
beforeEach(async () => {
  school = await School.open();
});
afterEach(async () => {
  await school.close();
});

async function get({ app }: Process, path: string, user = 'u1', headers: Record<string, string> = {}) {
  const answer = await request(app).get(path).set('x-user', user).set(headers);
  const scores = (answer.body as { score: number }[] | undefined) ?? [];
  return {
    status: answer.status,
    label: answer.get('x-cache'),
    detail: answer.get('cache-status'),
    scores: Array.isArray(scores) ? scores.map(({ score }) => score) : [],
  };
}

async function grade({ dataSource }: Process, id: number, score: number) {
  const row = await dataSource.getRepository(Grade).findOneByOrFail({ id });
  await dataSource.getRepository(Grade).save({ ...row, score });
}

function gate() {
  let open = () => {};
  let reached = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const arrived = new Promise<void>((resolve) => {
    reached = resolve;
  });
  return { arrived, open: () => open(), pass: () => (reached(), opened) };
}

describe.each(['strict', 'lease'] as const)('two processes, %s', (consistency) => {
  const types = { student_progress: { consistency } };
  let a: Process;
  let b: Process;
  /** Under `strict` at the first request; under `lease` as soon as the push, which may be on its way, has come. */
  const shows = async (process: Process, path: string, scores: number[], user?: string) => {
    for (let turn = 0; consistency === 'lease' && turn < 1000; turn += 1) {
      if (JSON.stringify((await get(process, path, user)).scores) === JSON.stringify(scores)) return;
    }
    expect((await get(process, path, user)).scores).toEqual(scores);
  };
  beforeEach(async () => {
    a = await school.process({ types });
    b = await school.process({ types });
  });

  it('what one has computed the other serves from Redis, then from memory', async () => {
    expect(await get(a, '/students/1')).toMatchObject({ label: 'MISS', scores: [50] });
    expect(await get(b, '/students/1')).toMatchObject({ label: 'HIT', scores: [50] });
    expect((await get(b, '/students/1')).detail).toContain('detail=memory');
    expect(b.computed()).toBe(0);
  });

  it('one that begins after a write keeps in memory what others have computed before it', async () => {
    await get(a, '/students/1');
    await grade(a, 2, 61);
    const late = await school.process({ types });
    expect((await get(late, '/students/1')).detail).toContain('detail=redis');
    expect((await get(late, '/students/1')).detail).toContain('detail=memory');
    await grade(a, 1, 99);
    await shows(late, '/students/1', [99]);
  });

  it('a grade invalidates the student and his tutor in both, for every viewer, and nobody else', async () => {
    for (const process of [a, b]) {
      for (const user of ['student', 'teacher']) await get(process, '/students/1', user);
      await get(process, '/tutors/1');
      await get(process, '/students/2');
      await get(process, '/tutors/2');
    }
    await grade(a, 1, 99);
    expect(await get(a, '/students/1', 'student')).toMatchObject({ label: 'MISS', scores: [99] });
    expect(await get(a, '/students/1', 'teacher')).toMatchObject({ label: 'MISS', scores: [99] });
    expect(await get(a, '/tutors/1')).toMatchObject({ label: 'MISS', scores: [99, 60] });
    expect(await get(a, '/students/2')).toMatchObject({ label: 'HIT' });
    expect(await get(a, '/tutors/2')).toMatchObject({ label: 'HIT' });
    await shows(b, '/students/1', [99], 'student');
    await shows(b, '/tutors/1', [99, 60]);
    expect(await get(b, '/tutors/2')).toMatchObject({ label: 'HIT' });
  });

  it('RACE commit against read: a report that was read before the commit is not stored by the other process after it', async () => {
    const slow = gate();
    b.pause = slow.pass;
    const reading = get(b, '/students/1');
    await slow.arrived;
    await grade(a, 1, 99);
    slow.open();
    expect((await reading).scores).toEqual([50]);
    b.pause = async () => undefined;
    expect(await get(b, '/students/1')).toMatchObject({ label: 'MISS', scores: [99] });
    expect(await get(a, '/students/1')).toMatchObject({ label: 'HIT', scores: [99] });
  });

  it('RACE commit against waiting readers: who asks after the commit does not get what a running load read before it', async () => {
    const slow = gate();
    a.pause = slow.pass;
    const leading = get(a, '/students/1');
    await slow.arrived;
    await grade(b, 1, 99);
    const late = get(a, '/students/1');
    a.pause = async () => undefined;
    slow.open();
    expect((await leading).scores).toEqual([50]);
    expect((await late).scores).toEqual([99]);
  });

  it('a rolled-back grade invalidates nothing', async () => {
    await get(a, '/students/1');
    await a.dataSource
      .transaction(async (manager) => {
        await manager.save(Grade, { id: 1, studentId: 1, score: 0 });
        throw new Error('changed my mind');
      })
      .catch(() => undefined);
    expect(await get(a, '/students/1')).toMatchObject({ label: 'HIT', scores: [50] });
  });

  it('a student who moves to another tutor invalidates both', async () => {
    for (const path of ['/tutors/1', '/tutors/2']) await get(b, path);
    await a.dataSource.getRepository(Student).save({ id: 1, tutorId: 2 });
    await shows(b, '/tutors/1', [60]);
    await shows(b, '/tutors/2', [50, 70]);
  });

  it('criteria, raw SQL and everything by hand reach the other process too', async () => {
    const writes: [string, () => Promise<unknown>][] = [
      ['criteria', () => a.dataSource.getRepository(Grade).update({ studentId: 1 }, { score: 11 })],
      ['raw SQL', () => a.dataSource.query(`UPDATE "${school.schema}"."grade" SET score = 12 WHERE id = 1`)],
      ['tag', () => a.reports.invalidate(tag('student', 1))],
      ['report', () => a.reports.deleteReport('student-1')],
      ['viewer', () => a.reports.invalidatePattern('report:*:u1:*')],
      ['type', () => a.reports.invalidatePattern('student_progress:*')],
      ['everything', () => a.reports.clear()],
    ];
    for (const [name, write] of writes) {
      await get(b, '/students/1');
      await get(b, '/students/1');
      await write();
      // Under a lease the push may still be on its way; an answer of Redis is not.
      b.reports.evict();
      expect([name, (await get(b, '/students/1')).label]).toEqual([name, 'MISS']);
    }
  });

  it('two users never share an entry', async () => {
    await get(a, '/students/1', 'u1');
    expect(await get(a, '/students/1', 'u2')).toMatchObject({ label: 'MISS' });
    expect(await get(b, '/students/1', 'u1')).toMatchObject({ label: 'HIT' });
    expect(await get(a, '/students/1', '')).toMatchObject({ label: 'BYPASS' });
  });
});

describe('transactions of the request itself', () => {
  it.each([
    ['memory alone', false as const],
    ['Redis', undefined],
  ])('what is written but not committed is neither read from nor filled into the cache (%s)', async (_name, shared) => {
    const a = await school.process(shared === undefined ? {} : { shared });
    const load = (manager = a.dataSource.manager) =>
      a.reports.getOrLoad(
        { type: 'custom', report: 'r', identity: { user: 1 }, tags: [tag('student', 1)] },
        async () => {
          const row = await manager.findOneByOrFail(Grade, { id: 1 });
          return row.score;
        },
      );
    expect(await load()).toBe(50);
    await a.dataSource.transaction(async (manager) => {
      expect(await load(manager)).toBe(50);
      await manager.save(Grade, { id: 1, studentId: 1, score: 77 });
      expect(await load(manager)).toBe(77);
      // Another request is served what is committed.
    });
    expect(await load()).toBe(77);
    const changesItsMind = a.dataSource.transaction(async (manager) => {
      await manager.save(Grade, { id: 1, studentId: 1, score: 5 });
      expect(await load(manager)).toBe(5);
      throw new Error('changed my mind');
    });
    await expect(changesItsMind).rejects.toThrow('changed my mind');
    expect(await load()).toBe(77);
  });

  it('an explicit runner: the code after startTransaction() is inside, the code after it ended is not', async () => {
    const a = await school.process({ shared: false });
    const load = () =>
      a.reports.getOrLoad({ type: 'custom', report: 'r', identity: { user: 1 } }, async () => 'computed');
    await load();
    const runner = a.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.save(Grade, { id: 1, studentId: 1, score: 8 });
    a.events.length = 0;
    await load();
    expect(a.events).toMatchObject([{ kind: 'bypass', reason: 'transaction' }, { kind: 'ran' }]);
    await runner.commitTransaction();
    await runner.release();
    a.events.length = 0;
    await load();
    expect(a.events.map(({ kind }) => kind)).toEqual(['hit']);
  });

  it('FAULT 10 a REPEATABLE READ transaction that began before the capture neither reads nor fills', async () => {
    const a = await school.process({ shared: false });
    const load = () =>
      a.reports.getOrLoad({ type: 'custom', report: 'r', identity: { user: 1 } }, async () => 'computed');
    await a.dataSource.transaction('REPEATABLE READ', async () => {
      a.events.length = 0;
      await load();
      expect(a.events).toMatchObject([{ kind: 'bypass', reason: 'transaction' }, { kind: 'ran' }]);
    });
  });
});

describe('a Redis that fails', () => {
  it('dies: readers get computed reports, a writer is answered, and nothing old is served when it is back empty', async () => {
    const redis = await startPrivateRedis();
    try {
      const a = await school.process({ shared: redis.url, hold: '300ms' });
      expect(await get(a, '/students/1')).toMatchObject({ label: 'MISS' });
      expect(await get(a, '/students/1')).toMatchObject({ label: 'HIT' });
      await redis.kill();
      expect(await get(a, '/students/1')).toMatchObject({ status: 200, label: 'BYPASS', scores: [50] });
      await grade(a, 1, 99);
      expect(await get(a, '/students/1')).toMatchObject({ status: 200, label: 'BYPASS', scores: [99] });
      await redis.restart();
      const seen = new Set<string>();
      for (let turn = 0; turn < 2000 && !seen.has('HIT'); turn += 1) {
        const { scores, label } = await get(a, '/students/1');
        expect(scores).toEqual([99]);
        seen.add(String(label));
      }
      expect(seen).toContain('HIT');
    } finally {
      await redis.stop();
    }
  });
});
