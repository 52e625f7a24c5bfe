// Deadlines: every operation gets its whole time from one timer.
import { describe, expect, it } from '@jest/globals';
import { Deadlines } from '../../src/core/deadlines.js';
import { FakeClock } from '../fakes/fake-clock.js';

function create() {
  const clock = new FakeClock();
  return { clock, deadlines: new Deadlines(250, clock), passed: [] as string[] };
}

describe('deadlines', () => {
  it('each passes at its own time, with one timer at a time', () => {
    const { clock, deadlines, passed } = create();
    deadlines.start(() => passed.push('first'));
    clock.advance(100);
    deadlines.start(() => passed.push('second'));
    expect(clock.waiting).toBe(1);
    clock.advance(149);
    expect(passed).toEqual([]);
    clock.advance(1);
    expect(passed).toEqual(['first']);
    expect(clock.waiting).toBe(1);
    clock.advance(99);
    expect(passed).toEqual(['first']);
    clock.advance(1);
    expect(passed).toEqual(['first', 'second']);
    expect(clock.waiting).toBe(0);
  });

  it('what is over in time does not pass; what has passed cannot be over', () => {
    const { clock, deadlines, passed } = create();
    const inTime = deadlines.start(() => passed.push('in time'));
    const late = deadlines.start(() => passed.push('late'));
    expect(inTime()).toBe(true);
    clock.advance(250);
    expect(late()).toBe(false);
    expect(passed).toEqual(['late']);
  });

  it('a timer left over from operations that are done does not shorten the time of a later one', () => {
    const { clock, deadlines, passed } = create();
    deadlines.start(() => passed.push('done'))();
    clock.advance(200);
    deadlines.start(() => passed.push('later'));
    clock.advance(249);
    expect(passed).toEqual([]);
    clock.advance(1);
    expect(passed).toEqual(['later']);
  });

  it('close leaves no idle timer, and takes nobody his deadline', () => {
    const { clock, deadlines, passed } = create();
    const over = deadlines.start(() => passed.push('never'));
    over();
    deadlines.close();
    expect(clock.waiting).toBe(0);
    deadlines.start(() => passed.push('still'));
    deadlines.close();
    clock.advance(250);
    expect(passed).toEqual(['still']);
  });
});
