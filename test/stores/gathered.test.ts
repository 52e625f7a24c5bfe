// What comes while a request is under way goes together with the next, and nothing is answered from before it was asked.
import { expect, it } from '@jest/globals';
import { Gathered } from '../../src/stores/database/gathered.js';
import { gate, type Gate } from '../support/gate.js';

function counted(most = 3) {
  const sent: string[][] = [];
  const gates: Gate[] = [];
  const gathered = new Gathered<string, string>(most, async (wanted) => {
    sent.push([...wanted]);
    const one = gate();
    gates.push(one);
    await one.opened;
    if (wanted.includes('bad')) throw new Error('bad');
    return new Map(wanted.map((key) => [key, `${key}${sent.length}`]));
  });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { gathered, sent, gates, turn };
}

it('shares the next request, each thing once, and never the one that has been sent', async () => {
  const { gathered, sent, gates, turn } = counted();
  const first = gathered.add(['a']);
  await turn();
  const later = ['a', 'b', 'c', 'd', 'a', 'd'].map((key) => gathered.add([key]));
  expect(sent).toEqual([['a']]);
  gates[0]?.open();
  await turn();
  gates[1]?.open();
  await turn();
  gates[2]?.open();
  expect((await first).get('a')).toBe('a1');
  expect((await Promise.all(later))[4]?.get('a')).toBe('a2');
  expect(sent).toEqual([['a'], ['a', 'b', 'c'], ['d']]);
});

it('goes on after a failure, which is everybody’s who shared it', async () => {
  const { gathered, gates, turn } = counted();
  const bad = gathered.add(['bad']);
  await turn();
  const good = gathered.add(['good']);
  gates[0]?.open();
  await expect(bad).rejects.toThrow('bad');
  await turn();
  gates[1]?.open();
  expect((await good).get('good')).toBe('good2');
});
