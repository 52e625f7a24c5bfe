// A writer is answered when every process that serves from memory without asking has taken what he changed, or must ask again.
import { describe, expect, it } from '@jest/globals';
import { LEASE_MS, start, watch } from './processes.js';
import { tick } from './set-up.js';

describe('barrier', () => {
  it('a writer waits for the process that holds a registered lease, until it has acknowledged', async () => {
    const {
      processes: [writer, reader],
    } = await start(2);
    await writer.fill();
    await reader.lease('barrier');
    const letThrough = reader.client.holdPushes();
    const writing = watch(writer.store.invalidate(['student:1']));
    await tick();
    expect(writing.done).toBe(false);
    expect(await reader.read('barrier')).toBe('memory:old');
    letThrough();
    await tick();
    expect(writing.done).toBe(true);
    expect(await reader.read('barrier')).toBe('miss');
    expect(writer.clock.waiting).toBe(0);
    expect(writer.events.filter(({ kind }) => kind === 'leaseAwaited')).toEqual([]);
  });

  it('an acknowledgement that arrives before the answer of the store counts', async () => {
    const {
      processes: [writer, reader],
    } = await start(2);
    await writer.fill();
    await reader.lease('barrier');
    const gate = writer.client.holdInvalidations();
    const writing = watch(writer.store.invalidate(['student:1']));
    await gate.answered;
    gate.open();
    await tick();
    expect(writing.done).toBe(true);
  });

  it('an acknowledgement of something earlier does not count', async () => {
    const {
      processes: [writer, reader],
    } = await start(2);
    await writer.fill();
    await reader.lease('barrier');
    reader.client.deaf = true;
    await writer.client.invalidate(['other:1']);
    const writing = watch(writer.store.invalidate(['student:1']));
    await tick();
    const { epoch, seq } = writer.memory.table.position;
    writer.store.acknowledged(reader.client.process, epoch, seq - 1);
    writer.store.acknowledged(reader.client.process, 'another', seq + 100);
    await tick();
    expect(writing.done).toBe(false);
    writer.store.acknowledged(reader.client.process, epoch, seq);
    await tick();
    expect(writing.done).toBe(true);
  });

  it('waits for all, and for a silent one no longer than a lease, and tells of it', async () => {
    const {
      clock,
      processes: [writer, reader, silent],
    } = await start(3);
    await writer.fill();
    await reader.lease('barrier');
    await silent.lease('barrier');
    silent.client.mute = true;
    const letThrough = reader.client.holdPushes();
    const writing = watch(writer.store.invalidate(['student:1']));
    await tick();
    letThrough();
    clock.advance(LEASE_MS - 1);
    await tick();
    expect(writing.done).toBe(false);
    clock.advance(1);
    await writing.promise;
    expect(writer.events).toContainEqual({ kind: 'leaseAwaited', processes: 1 });
    expect(clock.waiting).toBe(0);
    // Its lease has run out, so nobody waits for it any more.
    await writer.store.invalidate(['student:2']);
    expect(writer.events.filter(({ kind }) => kind === 'leaseAwaited')).toHaveLength(1);
  });

  it('FAULT 21 a process that hears nothing is never stale once the writer has his answer, however busy it is', async () => {
    const {
      clock,
      processes: [writer, reader],
    } = await start(2);
    await writer.fill();
    await reader.lease('barrier');
    reader.client.deaf = true;
    clock.advance(50);
    const writing = watch(writer.store.invalidate(['student:1']));
    const answers: string[] = [];
    for (let step = 0; !writing.done; step += 1) {
      expect(step).toBeLessThan(20);
      answers.push(await reader.read('barrier'));
      clock.advance(25);
      await tick();
    }
    expect(answers[0]).toBe('memory:old');
    expect(await reader.read('barrier')).toBe('miss');
  });

  it('nobody waits for a reader under a plain lease, and what that one has proved does not count here', async () => {
    const {
      processes: [writer, reader],
    } = await start(2);
    await writer.fill();
    await reader.lease('lease');
    const { asked } = reader;
    expect(await reader.read('lease')).toBe('memory:old');
    expect(reader.asked).toBe(asked);
    expect(await reader.read('barrier')).toBe('memory:old');
    expect(reader.asked).toBe(asked + 1);
    expect(await reader.read('barrier')).toBe('memory:old');
    expect(reader.asked).toBe(asked + 1);
  });

  it('a process does not wait for itself', async () => {
    const {
      processes: [only],
    } = await start(1);
    await only.fill();
    await only.lease('barrier');
    only.client.deaf = true;
    const writing = watch(only.store.invalidate(['student:1']));
    await tick();
    expect(writing.done).toBe(true);
    expect(await only.read('barrier')).toBe('miss');
  });

  it('who has missed something and empties memory for it has taken it too', async () => {
    const {
      processes: [writer, reader],
    } = await start(2);
    await writer.fill();
    await reader.lease('barrier');
    reader.client.deaf = true;
    await writer.client.invalidate(['other:1']);
    reader.client.deaf = false;
    const writing = watch(writer.store.invalidate(['student:1']));
    await tick();
    expect(writing.done).toBe(true);
    expect(reader.events).toContainEqual({ kind: 'distrust', reason: 'gap' });
  });
});

describe('barrier in a new epoch', () => {
  async function lost(expected: boolean) {
    const {
      clock,
      hub,
      processes: [writer, reader],
    } = await start(2);
    await writer.fill();
    if (expected) writer.store.expectBarrier();
    await reader.lease('barrier');
    reader.client.deaf = true;
    clock.advance(40);
    hub.loseHistory({ silently: true });
    clock.advance(10);
    return { clock, hub, writer, reader };
  }

  it('who holds a lease of before is not known: a writer who expects some waits until all have run out', async () => {
    const { clock, writer, reader } = await lost(true);
    const writing = watch(writer.store.invalidate(['student:1']));
    await tick();
    expect(await reader.read('barrier')).toBe('memory:old');
    clock.advance(LEASE_MS - 11);
    await tick();
    expect(writing.done).toBe(false);
    clock.advance(1);
    await writing.promise;
    expect(await reader.read('barrier')).toBe('miss');
    expect(writer.events.filter(({ kind }) => kind === 'leaseAwaited')).toEqual([]);
  });

  it('waits no more once the epoch is older than a lease, and not at all where none is expected', async () => {
    const { clock, writer } = await lost(true);
    clock.advance(LEASE_MS - 10);
    const later = watch(writer.store.invalidate(['student:1']));
    await tick();
    expect(later.done).toBe(true);
    const unaware = await lost(false);
    const writing = watch(unaware.writer.store.invalidate(['student:1']));
    await tick();
    expect(writing.done).toBe(true);
  });

  it('is expected by who has once been told of a lease', async () => {
    const {
      hub,
      processes: [writer, reader],
    } = await start(2);
    await writer.fill();
    await reader.lease('barrier');
    await writer.store.invalidate(['other:1']);
    hub.loseHistory({ silently: true });
    const writing = watch(writer.store.invalidate(['student:1']));
    await tick();
    expect(writing.done).toBe(false);
    writer.clock.advance(LEASE_MS);
    await writing.promise;
  });
});
