// Marks through TypeORM: from before COMMIT until the invalidation is in force nobody is served, and nothing is stored.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, warm, type Node } from './support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open('durable_marks');
});
afterAll(() => lab.close());
beforeEach(() => lab.reset());
afterEach(() => lab.closeNodes());

const write = ({ db }: Node, id = 1) => db.manager.save(Grade, { id, studentId: id, score: 99 });
const marked = async ({ redis }: Node) =>
  (await redis.client.hkeys(`{${lab.namespace}}:x`)).filter((field) => !field.startsWith('!'));

/** Stops the next COMMIT of this process, with its mark in place. */
function stopCommit(node: Node) {
  let open = (): void => undefined;
  let reached = (): void => undefined;
  const arrived = new Promise<void>((resolve) => (reached = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  node.db.subscribers.push({
    beforeQuery: async ({ query }) => {
      if (query !== 'COMMIT') return;
      await eventually('a mark', async () => (await marked(node)).length > 0);
      reached();
      await opened;
    },
  });
  return { arrived, open };
}

describe('between the mark and COMMIT', () => {
  it('readers of every process compute, and store nothing; then all is new', async () => {
    const writer = await lab.node({ cache: { mark: true } });
    const reader = await lab.node();
    await warm(writer, reader);
    const commit = stopCommit(writer);
    const writing = write(writer);
    await commit.arrived;
    for (const node of [writer, reader]) {
      expect(await node.read()).toEqual({ scores: [10], hit: false });
      expect(await node.read()).toEqual({ scores: [10], hit: false });
    }
    expect(reader.eventsOf('bypass').at(-1)).toMatchObject({ reason: 'flux' });
    commit.open();
    await writing;
    for (const node of [writer, reader]) expect((await node.read()).scores).toEqual([99]);
    await warm(reader);
    expect(await marked(writer)).toEqual([]);
  });

  it('a report whose computation began before the mark is not stored under it', async () => {
    const writer = await lab.node({ cache: { mark: true } });
    const reader = await lab.node();
    await warm(writer);
    await writer.reports.clear();
    let go = (): void => undefined;
    const going = new Promise<void>((resolve) => (go = resolve));
    let began = (): void => undefined;
    const beginning = new Promise<void>((resolve) => (began = resolve));
    reader.pause = () => (began(), going);
    const reading = reader.read();
    await beginning;
    const commit = stopCommit(writer);
    const writing = write(writer);
    await commit.arrived;
    go();
    expect((await reading).scores).toEqual([10]);
    expect(reader.eventsOf('declined').at(-1)).toMatchObject({ reason: 'flux' });
    commit.open();
    await writing;
  });

  it('only who is concerned is marked: the look-up comes before COMMIT', async () => {
    const writer = await lab.node({ cache: { mark: true } });
    await warm(writer);
    await eventually('a hit', async () => (await writer.read(2)).hit);
    const commit = stopCommit(writer);
    const writing = write(writer);
    await commit.arrived;
    expect((await marked(writer)).sort()).toEqual(['student:1', 'table:grade', 'tutor:1']);
    expect((await writer.read(2)).hit).toBe(true);
    commit.open();
    await writing;
  });

  it('a look-up that fails leaves the transaction as it was, and marks coarsely', async () => {
    const writer = await lab.node({ cache: { mark: true } });
    await lab.outside.query('ALTER TABLE student RENAME TO hidden');
    const commit = stopCommit(writer);
    const writing = writer.db.transaction((manager) =>
      manager.query('UPDATE grade SET score = 99 WHERE id = 1').then(() => manager.save(Grade, { id: 2, score: 98 })),
    );
    await commit.arrived;
    expect(await marked(writer)).toContain('tutor:*');
    commit.open();
    await writing;
    await lab.outside.query('ALTER TABLE hidden RENAME TO student');
    expect([await lab.score(1), await lab.score(2)]).toEqual([99, 98]);
    expect(writer.eventsOf('outboxFailed')).toEqual([]);
  });
});

describe('RACE the window between COMMIT and the invalidation', () => {
  const inside = async (mark: boolean) => {
    const writer = await lab.node({ cache: { mark } });
    const reader = await lab.node();
    await warm(writer, reader);
    const bump = writer.redis.hold('bump');
    const writing = write(writer);
    await bump.arrived;
    expect(await lab.score()).toBe(99);
    const seen = await reader.read();
    bump.open();
    await writing;
    expect((await reader.read()).scores).toEqual([99]);
    return seen;
  };

  it('is open without marks: the old report is served although the new row is visible', async () => {
    expect(await inside(false)).toEqual({ scores: [10], hit: true });
  });

  it('is closed with marks', async () => {
    expect(await inside(true)).toEqual({ scores: [99], hit: false });
  });
});

describe('statements outside transactions', () => {
  it('are marked coarsely before they are sent, and unmarked when refused', async () => {
    const writer = await lab.node({ cache: { mark: true } });
    const reader = await lab.node();
    await warm(writer, reader);
    const bump = writer.redis.hold('bump');
    const writing = writer.db.manager.update(Grade, { id: 1 }, { score: 99 });
    await bump.arrived;
    expect((await marked(writer)).sort()).toEqual(['student:*', 'table:grade', 'tutor:*']);
    expect(await reader.read()).toEqual({ scores: [99], hit: false });
    bump.open();
    await writing;
    expect(await marked(writer)).toEqual([]);
    await warm(reader);
    await expect(writer.db.query('UPDATE grade SET nothing = 1')).rejects.toThrow('does not exist');
    await eventually('no mark', async () => (await marked(writer)).length === 0);
    expect((await reader.read()).hit).toBe(true);
  });
});

describe('Redis does not take the mark', () => {
  it('abort: statement and transaction are refused with ERC_MARK, and nothing is stored', async () => {
    const writer = await lab.node({ cache: { mark: true, onMarkError: 'abort' }, source: { poolSize: 1 } });
    await warm(writer);
    writer.redis.refuse('mark');
    await expect(write(writer)).rejects.toMatchObject({ code: 'ERC_MARK' });
    await expect(writer.db.manager.update(Grade, { id: 1 }, { score: 99 })).rejects.toMatchObject({ code: 'ERC_MARK' });
    expect(await lab.score()).toBe(10);
    // The one connection there is came back, and outside of any transaction.
    const [state] = (await writer.db.query('SELECT statement_timestamp() = transaction_timestamp() AS fresh')) as [
      object,
    ];
    expect(state).toEqual({ fresh: true });
    writer.redis.open();
    await write(writer);
    expect((await writer.read()).scores).toEqual([99]);
    await eventually('an empty outbox', async () => (await lab.rows()).length === 0);
  });

  it('proceed: the write goes on with the window open', async () => {
    const writer = await lab.node({ cache: { mark: true } });
    await warm(writer);
    writer.redis.refuse('mark');
    await write(writer);
    expect(writer.eventsOf('markFailed')).toMatchObject([{ aborted: false }]);
    expect((await writer.read()).scores).toEqual([99]);
    await warm(writer);
  });
});
