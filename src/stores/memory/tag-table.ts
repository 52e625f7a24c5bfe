// When each tag was last invalidated: the truth of one process, or its replica of the truth in Redis.
import type { Dependency, Entry, Position } from '../../contract/entry.js';
import { EVERYTHING, keyTag } from '../../entry/tags.js';

/** What a pushed invalidation did to a replica. */
export type Applied = 'applied' | 'duplicate' | 'gap' | 'epoch';

/**
 * Holds a sequence number for every tag invalidated since `floor`. An entry is valid exactly if its epoch is the
 * table's, it is not older than the floor, and none of its tags (nor its key) has a number above its `asOf`.
 * Bounded: when it is full the floor rises to the present, which costs misses and never correctness.
 */
export class TagTable {
  #position: Position;
  #floor: number;
  readonly #seqs = new Map<string, number>();
  readonly #maxTags: number;
  #changes = 0;

  constructor(epoch: string, maxTags: number) {
    this.#position = { epoch, seq: 0 };
    this.#floor = 0;
    this.#maxTags = maxTags;
  }

  get position(): Position {
    return this.#position;
  }

  /** Grows with everything that may make an entry invalid: what held at the same number still does. */
  get changes(): number {
    return this.#changes;
  }

  /** Tags remembered. */
  get size(): number {
    return this.#seqs.size;
  }

  /** What was read before it counts as invalidated. */
  get floor(): number {
    return this.#floor;
  }

  /** Its last invalidation above the floor; undefined: there is none. */
  seqOf(tag: string): number | undefined {
    return this.#seqs.get(tag);
  }

  /** As the truth: gives the next number to all `tags` at once. */
  invalidate(tags: readonly string[], lsn = ''): Position {
    this.#advance(this.#position.seq + 1, tags, lsn);
    return this.#position;
  }

  /** As a replica: takes a push. Pushes are contiguous, so a hole proves that some were lost. */
  apply(epoch: string, seq: number, tags: readonly string[]): Applied {
    if (epoch !== this.#position.epoch) {
      this.adopt({ epoch, seq });
      return 'epoch';
    }
    if (seq <= this.#position.seq) return 'duplicate';
    if (seq > this.#position.seq + 1) {
      this.adopt({ epoch, seq });
      return 'gap';
    }
    this.#advance(seq, tags);
    return 'applied';
  }

  /** As a replica: an invalidation of this process, in force before pushes between may have arrived. */
  mark(position: Position, tags: readonly string[]): void {
    if (position.epoch !== this.#position.epoch || position.seq <= this.#floor) return;
    if (position.seq === this.#position.seq + 1) this.#advance(position.seq, tags);
    else this.#write(position.seq, tags);
  }

  /** Takes over a position without knowing what happened before: everything older is invalid, what is marked later stays so. */
  adopt(position: Position): void {
    if (position.epoch !== this.#position.epoch) {
      this.#seqs.clear();
      this.#floor = 0;
    }
    // A WAL position would not move with the pushes that follow, and would then promise too much.
    this.#position = { epoch: position.epoch, seq: position.seq };
    this.#raiseFloor(position.seq);
  }

  /**
   * Whether what was read as of `asOf` is untouched since.
   * @param provedAt up to this number the truth itself has told so, which speaks for what lies below the floor
   */
  holds(dependency: Dependency, provedAt = dependency.asOf): boolean {
    if (dependency.epoch !== this.#position.epoch || provedAt < this.#floor) return false;
    if (this.#seqs.size === 0) return true;
    for (const tag of dependency.tags) {
      const seq = this.#seqs.get(tag);
      if (seq !== undefined && seq > dependency.asOf) return false;
    }
    return true;
  }

  /** {@link holds} for an entry under its key: a deleted key is a tag of its own. */
  holdsEntry(key: string, entry: Entry, provedAt = entry.asOf): boolean {
    if (!this.holds(entry, provedAt)) return false;
    const seq = this.#seqs.get(keyTag(key));
    return seq === undefined || seq <= entry.asOf;
  }

  #advance(seq: number, tags: readonly string[], told = ''): void {
    const { epoch, lsn = '' } = this.#position;
    // What a write without one needs of a replica is not known.
    const latest = told === '' ? '' : told > lsn ? told : lsn;
    this.#position = { epoch, seq, ...(latest !== '' && { lsn: latest }) };
    this.#write(seq, tags);
  }

  #write(seq: number, tags: readonly string[]): void {
    this.#changes += 1;
    for (const tag of tags) {
      if (tag === EVERYTHING) this.#raiseFloor(seq);
      else if ((this.#seqs.get(tag) ?? 0) < seq) this.#seqs.set(tag, seq);
    }
    if (this.#seqs.size > this.#maxTags) this.#raiseFloor(Math.max(seq, this.#position.seq));
  }

  #raiseFloor(seq: number): void {
    this.#changes += 1;
    this.#floor = Math.max(this.#floor, seq);
    for (const [tag, at] of this.#seqs) if (at <= this.#floor) this.#seqs.delete(tag);
  }
}
