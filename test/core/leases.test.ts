// When a lease does not count: the connection was lost, a clock has jumped, the reader knows of something younger, nobody vouches.
import { describe, expect, it } from '@jest/globals';
import { LEASE_MS, start } from './processes.js';
import { tick } from './set-up.js';

const BOTH = [['lease'], ['barrier']] as const;

describe.each(BOTH)('under %s', (consistency) => {
  async function leased() {
    const all = await start(2);
    const [reader] = all.processes;
    await reader.fill();
    await reader.lease(consistency);
    return { ...all, reader, writer: all.processes[1] };
  }

  it('a lost connection ends it', async () => {
    const { reader } = await leased();
    const { asked } = reader;
    reader.store.lost();
    expect(await reader.read(consistency)).toBe('memory:old');
    expect(reader.asked).toBe(asked + 1);
    expect(reader.events.filter(({ kind }) => kind === 'distrust').length).toBeGreaterThan(0);
  });

  it.each([[10_000], [-1]])('FAULT 32 a wall clock that jumps by %i ms makes it ask', async (jump) => {
    const { reader, clock } = await leased();
    const { asked } = reader;
    clock.step(jump);
    expect(await reader.read(consistency)).toBe('memory:old');
    expect(reader.asked).toBe(asked + 1);
    expect(await reader.read(consistency)).toBe('memory:old');
    expect(reader.asked).toBe(asked + 1);
  });

  it('a reader who knows of something younger is not served what has not heard of it', async () => {
    const { reader, writer } = await leased();
    reader.client.deaf = true;
    // Without a barrier, so that the lease is still held afterwards.
    const written = await writer.client.invalidate(['student:1']);
    expect(await reader.read(consistency)).toBe('memory:old');
    const { asked } = reader;
    expect(await reader.read(consistency, written)).toBe('miss');
    expect(reader.asked).toBe(asked + 1);
  });

  it('a reader who knows of nothing younger is served without a question', async () => {
    const { reader, writer } = await leased();
    const written = await writer.client.invalidate(['other:1']);
    const { asked } = reader;
    expect(await reader.read(consistency, written)).toBe('memory:old');
    expect(await reader.read(consistency, { ...written, seq: written.seq - 1 })).toBe('memory:old');
    expect(reader.asked).toBe(asked);
  });

  it('a reader who comes from another history makes it ask', async () => {
    const { reader } = await leased();
    const { asked } = reader;
    expect(await reader.read(consistency, { epoch: 'another', seq: 0 })).toBe('memory:old');
    expect(reader.asked).toBe(asked + 1);
  });

  it('nobody vouches any more: it is not renewed, and what it ran for is the bound', async () => {
    const { reader, clock, hub } = await leased();
    hub.dead = true;
    const answers: string[] = [];
    for (let at = 0; at < LEASE_MS + 100; at += 50) {
      answers.push(await reader.read(consistency));
      await tick();
      clock.advance(50);
    }
    expect(answers).toEqual([...Array.from({ length: 6 }, () => 'memory:old'), 'unavailable']);
    expect(await reader.read('strict')).toBe('unavailable');
    hub.dead = false;
    expect(await reader.read(consistency)).toBe('memory:old');
  });
});

describe('an invalidation answered by a history that has ended meanwhile', () => {
  it('does not bring that history back', async () => {
    const { processes, clock, hub } = await start(1);
    const [writer] = processes;
    await writer.fill();
    const gate = writer.client.holdInvalidations();
    const writing = writer.store.invalidate(['student:1']);
    await gate.answered;
    clock.advance(1);
    hub.loseHistory();
    gate.open();
    await writing;
    expect(writer.memory.table.position.epoch).toBe(hub.epoch);
  });
});

describe('a WAL position', () => {
  it('is not kept with a position that goes on without it', async () => {
    const { processes } = await start(2);
    const [reader, writer] = processes;
    reader.client.deaf = true;
    const { epoch: lsnEpoch } = await writer.store.position();
    await writer.client.invalidate(['other:1'], { lsn: '000000000000000A', lsnEpoch });
    // A look-up tells of it; memory, which goes on with pushes that tell of none, must not.
    expect(await reader.store.lookup('k')).toMatchObject({ position: { lsn: '000000000000000A' } });
    expect(reader.memory.table.position).not.toHaveProperty('lsn');
  });
});
