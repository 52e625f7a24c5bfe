// Look-ups of one turn in one round trip: who shares an answer, and who must not.
import { describe, expect, it } from '@jest/globals';
import type { Lookup } from '../../src/contract/store.js';
import { LookUpBatch } from '../../src/stores/redis/look-up-batch.js';
import { FakeClock } from '../fakes/fake-clock.js';

const missed = (epoch: string): Lookup => ({ outcome: 'miss', reason: 'absent', position: { epoch, seq: 0 } });

function create(answer: (key: string) => Lookup | Error = missed) {
  const asked: string[][] = [];
  const batch = new LookUpBatch(async (keys) => {
    asked.push([...keys]);
    return keys.map(answer);
  }, new FakeClock());
  return { asked, batch };
}

describe('look-up batch', () => {
  it('asks for all keys of a turn at once, for each key once', async () => {
    const { asked, batch } = create();
    const answers = await Promise.all(['a', 'b', 'a'].map((key) => batch.lookUp(key)));
    expect(asked).toEqual([['a', 'b']]);
    expect(answers).toEqual([missed('a'), missed('b'), missed('a')]);
  });

  it('a reader who comes after it was sent gets a question of his own', async () => {
    const { asked, batch } = create();
    const early = batch.lookUp('a');
    await new Promise(setImmediate);
    const late = batch.lookUp('a');
    await Promise.all([early, late]);
    expect(asked).toEqual([['a'], ['a']]);
  });

  it('a full batch does not wait for the end of the turn, and is sent once', async () => {
    const { asked, batch } = create();
    const answers = Array.from({ length: 65 }, (_, index) => batch.lookUp(`k${index}`));
    expect(asked.map((keys) => keys.length)).toEqual([64]);
    await Promise.all(answers);
    expect(asked.map((keys) => keys.length)).toEqual([64, 1]);
  });

  it('an error in one place is that key alone', async () => {
    const { batch } = create((key) => (key === 'bad' ? new Error('wrong type') : missed(key)));
    const [bad, good] = await Promise.allSettled([batch.lookUp('bad'), batch.lookUp('good')]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'wrong type' } });
    expect(good).toEqual({ status: 'fulfilled', value: missed('good') });
  });

  it('a failed question fails for everybody who asked it', async () => {
    const batch = new LookUpBatch(() => Promise.reject(new Error('down')), new FakeClock());
    const answers = await Promise.allSettled([batch.lookUp('a'), batch.lookUp('b')]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
