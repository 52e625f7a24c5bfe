// The history in Redis as the sweeper sees it: observe it, adopt it, keep its watermark, prune its tags.
import type { Position } from '../../contract/entry.js';
import type { History, Observation } from '../../contract/history.js';
import type { InvalidateOptions, Store } from '../../contract/store.js';
import { SCRIPTS, type Scripts } from './scripts.js';

export class RedisHistory implements History {
  constructor(
    private readonly scripts: Scripts,
    private readonly store: Store,
  ) {}

  /** The same, invalidating through `store`: what stands in front of Redis must know before a row is forgotten. */
  through(store: Store): History {
    return new RedisHistory(this.scripts, store);
  }

  async observe(): Promise<Observation> {
    const { position, ageMs, rest } = await this.scripts.run(SCRIPTS.observe, [], []);
    const [now, generation] = rest;
    return { position, now: Number(now), generation: generation ? Number(generation) : undefined, ageMs };
  }

  async keepAlive({ epoch, seq, lsn = '' }: Position, at: number, lambdaMs: number): Promise<boolean> {
    const { rest } = await this.scripts.run(SCRIPTS.live, [], [epoch, at, lambdaMs, seq, lsn]);
    return rest[0] === 'live';
  }

  async adopt(expected: string, epoch: string, generation: number): Promise<Position | undefined> {
    const { position, rest } = await this.scripts.run(SCRIPTS.adopt, [], [expected, epoch, generation]);
    return rest[0] === 'adopted' ? position : undefined;
  }

  async invalidate(tags: readonly string[], options?: InvalidateOptions): Promise<Position> {
    return this.store.invalidate(tags, options);
  }

  async prune({ epoch, seq }: Position): Promise<void> {
    let cursor = '0';
    do {
      const { rest } = await this.scripts.run(SCRIPTS.prune, [], [cursor, seq, epoch]);
      cursor = String(rest[0]);
    } while (cursor !== '0');
  }
}
