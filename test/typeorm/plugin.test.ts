// Attaching to a DataSource: when, how often, and for how long.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { TypeormPlugin } from '../../src/typeorm/plugin.js';
import { entities, Submission } from './support/entities.js';
import { openSchool, schoolRules, type School } from './support/school.js';

let school: School;
let db: DataSource;

beforeAll(async () => {
  school = await openSchool('plugin');
  db = school.dataSource;
});
afterAll(() => school.close());
beforeEach(() => school.seed());

const work = ['parent:1', 'student:1', 'table:submission'];

describe('§9.1 registration', () => {
  it.each([
    ['a DataSource that is not initialised', () => new DataSource({ type: 'postgres', url: school.url, entities })],
    ['an object', () => ({})],
    ['nothing', () => undefined as never],
  ])('refuses %s', async (_name, make) => {
    await expect(school.plugin.connect(make())).rejects.toMatchObject({ code: 'ERC_DATA_SOURCE' });
  });

  it('takes the first place, once, however often it is connected', async () => {
    const own = await new DataSource({ type: 'postgres', url: school.url, entities }).initialize();
    const neighbour = { afterTransactionCommit: () => Promise.reject(new Error('neighbour')) };
    own.subscribers.push(neighbour);
    await Promise.all([school.plugin.connect(own), school.plugin.connect(own)]);
    await school.plugin.connect(own);
    expect(own.subscribers).toHaveLength(2);
    expect(own.subscribers[1]).toBe(neighbour);
    await expect(own.manager.save(Submission, { id: 1, text: 'x' })).rejects.toThrow('neighbour');
    await school.recorder.reaches(1);
    expect(school.recorder.flushes).toEqual([{ cause: 'commit', tags: work }]);
    school.plugin.disconnect(own);
    await own.destroy();
  });

  it('comes back when the host replaced the list of subscribers and connects again', async () => {
    Object.assign(db, { subscribers: [] });
    await school.plugin.connect(db);
    await db.manager.save(Submission, { id: 1, text: 'x' });
    expect(school.recorder.tags).toEqual(work);
  });

  it('survives destroy() and initialize(), several times', async () => {
    for (const text of ['x', 'y']) {
      await db.destroy();
      await db.initialize();
      expect(db.subscribers).toHaveLength(1);
      school.recorder.reset();
      await db.manager.save(Submission, { id: 1, text });
      expect(school.recorder.tags).toEqual(work);
    }
  });

  it('distrusts everything after an initialize() that changed the schema before it could look', async () => {
    const own = await new DataSource({ type: 'postgres', url: school.url, entities, synchronize: true }).initialize();
    await school.plugin.connect(own);
    expect(school.recorder.flushes).toEqual([]);
    await own.destroy();
    await own.initialize();
    expect(school.recorder.tags).toEqual(['*']);
    school.plugin.disconnect(own);
    await own.destroy();
  });

  it('lets go on disconnect()', async () => {
    const own = await new DataSource({ type: 'postgres', url: school.url, entities }).initialize();
    const initialize: unknown = Reflect.get(own, 'initialize');
    await school.plugin.connect(own);
    school.plugin.disconnect(own);
    school.plugin.disconnect(own);
    expect(Reflect.get(own, 'initialize')).toBe(initialize);
    expect(own.subscribers).toEqual([]);
    await own.manager.save(Submission, { id: 1, text: 'x' });
    expect(school.recorder.flushes).toEqual([]);
    await own.destroy();
  });

  it('follows several DataSources, and says when a rule fits none of their entities', async () => {
    const own = await new DataSource({ type: 'postgres', url: school.url, entities: [] }).initialize();
    await school.plugin.connect(own);
    expect(school.recorder.eventsOf('advice').map(({ code }) => code)).toContain('cascade-entity:Grade');
    await own.query(`UPDATE submission SET text = 'x' WHERE id = 1`);
    expect(school.recorder.tags).toEqual(['table:submission']);
    await db.manager.save(Submission, { id: 1, text: 'y' });
    expect(school.recorder.tags).toEqual(expect.arrayContaining(work));
    school.plugin.disconnect(own);
    await own.destroy();
  });

  it('a database whose default isolation is stronger keeps snapshots in every transaction', async () => {
    const { recorder } = school;
    const own = await new DataSource({
      type: 'postgres',
      url: school.url,
      entities,
      extra: { options: '-c default_transaction_isolation=repeatable\\ read' },
    }).initialize();
    const plugin = schoolRules(
      new TypeormPlugin({ invalidator: recorder, transactions: recorder, emit: recorder.emit, clock: recorder.clock }),
    );
    await plugin.connect(own);
    await own.manager.save(Submission, { id: 1, text: 'z' });
    expect(recorder.tracked).toEqual(['began', 'snapshot', 'wrote', 'ended']);
    await own.destroy();
  });
});
