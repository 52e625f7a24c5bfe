// Where marks are shared, inside the test: remembers them, and fails or hangs when told to.
import type { Position } from '../../src/contract/entry.js';
import type { Marks } from '../../src/contract/store.js';

export class NoticeBoard implements Marks {
  readonly open = new Map<string, readonly string[]>();
  readonly ttls: number[] = [];
  broken = false;
  /** The mark is taken, and its answer is lost. */
  answerLost = false;

  async mark(tags: readonly string[], id: string, ttlMs: number): Promise<Position> {
    if (this.broken) throw new Error('broken by the test');
    this.open.set(id, tags);
    this.ttls.push(ttlMs);
    if (this.answerLost) throw new Error('answer lost by the test');
    return { epoch: 'hub-1', seq: 0 };
  }

  async unmark(id: string): Promise<void> {
    if (this.broken) throw new Error('broken by the test');
    this.open.delete(id);
  }
}
