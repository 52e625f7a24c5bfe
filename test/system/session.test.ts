// Reading one's own writes under a lease, in a process that has not heard of them yet.
import express from 'express';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import request from 'supertest';
import { tag } from '../../src/index.js';
import { eventually } from '../support/eventually.js';
import { Grade, Lab, type Node, type NodeOptions } from '../typeorm/durable/support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open('system_session');
});
afterAll(() => lab.close());
beforeEach(() => lab.reset());
afterEach(() => lab.closeNodes());

/** A lease that does not end while a test runs. */
const cache: NodeOptions['cache'] = {
  types: { student_progress: { consistency: 'lease' } },
  lease: '20s',
  lambda: '60s',
};

/** An application over one process's cache. */
function application({ reports, db }: Node) {
  const app = express();
  app.use(reports.session());
  app.get(
    '/students/:id',
    reports.cache('student_progress', { tags: (req) => [tag('student', String(req.params['id']))] }),
    (req, res, next) => {
      db.manager
        .findBy(Grade, { studentId: Number(req.params['id']) })
        .then((grades) => res.json(grades.map(({ score }) => score)))
        .catch(next);
    },
  );
  app.put('/grades/:id', (req, res, next) => {
    const id = Number(req.params['id']);
    db.manager
      .save(Grade, { id, studentId: id, score: 99 })
      .then(() => res.json({}))
      .catch(next);
  });
  return app;
}

it('RACE the push is held: whoever wrote sees it everywhere, whoever did not may have to wait for the lease', async () => {
  const writer = await lab.node({ cache });
  const reader = await lab.node({ cache });
  const there = application(reader);
  await eventually('memory under a lease', async () => {
    const { headers } = await request(there).get('/students/1');
    return String(headers['cache-status']).includes('detail=memory');
  });
  reader.redis.deaf = true;
  const written = await request(application(writer)).put('/grades/1');
  const [cookie] = written.get('set-cookie') ?? [];
  expect(cookie).toMatch(/^report-position=/);
  expect((await request(there).get('/students/1')).body).toEqual([10]);
  // A forged position makes the process ask, and that is all.
  const forged = await request(there).get('/students/2').set('cookie', 'report-position=999999999999999.nonsense');
  expect(forged.body).toEqual([20]);
  const own = await request(there)
    .get('/students/1')
    .set('cookie', String(cookie?.split(';')[0]));
  expect(own.body).toEqual([99]);
});

it('a forged position that lies in the future is served all the same, once Redis was asked', async () => {
  const node = await lab.node({ cache });
  const app = application(node);
  const written = await request(app).put('/grades/1');
  const [, epoch] = /=\d+\.([^;]+);/.exec(String(written.get('set-cookie'))) ?? [];
  await request(app).get('/students/1');
  const forged = await request(app).get('/students/1').set('cookie', `report-position=999999999999999.${epoch}`);
  expect(forged.get('x-cache')).toBe('HIT');
  expect(forged.body).toEqual([99]);
});
