// Marks of this process: writes that have announced themselves before their COMMIT and have not ended.
import { randomBytes } from 'node:crypto';
import type { Clock, TimerHandle } from '../contract/clock.js';
import { ReportCacheError, errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Mark } from '../contract/invalidation.js';
import type { Marks } from '../contract/store.js';
import type { Holds } from './holds.js';

export interface AnnouncementOptions {
  /** Whether writes announce themselves. */
  readonly marks: boolean;
  /** A write that takes longer between its mark and its end gets its window back, ms. */
  readonly markTtlMs: number;
  /** The store does not take the mark: let the write go on, or refuse it. */
  readonly onMarkError: 'proceed' | 'abort';
}

const processName = randomBytes(9).toString('base64url');
let marks = 0;

export class Announcements {
  readonly #open = new Map<Mark, TimerHandle>();
  #closed = false;

  /**
   * @param shared where other processes see them; undefined: there are none.
   * @param expire a mark past its deadline: its writer may have committed, so it is invalidated.
   */
  constructor(
    private readonly shared: Marks | undefined,
    private readonly holds: Holds,
    private readonly options: AnnouncementOptions,
    private readonly expire: (tags: readonly string[], mark: Mark) => Promise<unknown>,
    private readonly clock: Clock,
    private readonly emit: EventSink,
  ) {}

  /** @throws ERC_MARK, see {@link AnnouncementOptions.onMarkError} */
  async open(tags: readonly string[]): Promise<Mark | undefined> {
    if (!this.options.marks || tags.length === 0 || this.#closed) return undefined;
    marks += 1;
    const mark: Mark = { id: `${processName}.${marks.toString(36)}`, tags };
    this.holds.add(tags);
    this.#open.set(
      mark,
      this.clock.after(this.options.markTtlMs, () => void this.expire(tags, mark)),
    );
    try {
      await this.shared?.mark(tags, mark.id, this.options.markTtlMs);
    } catch (error) {
      const aborted = this.options.onMarkError === 'abort';
      this.emit({ kind: 'markFailed', tags, aborted, error: errorText(error) });
      if (!aborted) return mark;
      // It may have been executed although the answer did not come.
      void this.withdraw(mark);
      throw new ReportCacheError('ERC_MARK', 'The write could not be announced to the cache before its COMMIT.');
    }
    return mark;
  }

  /** Its write was rolled back. */
  async withdraw(mark: Mark): Promise<void> {
    if (this.ended(mark)) await this.forget([mark]);
  }

  /** Their writes are in force by an invalidation that did not name them. */
  async forget(marks: readonly Mark[]): Promise<void> {
    const { shared } = this;
    if (shared === undefined) return;
    // Lost, a mark ends by its deadline.
    await Promise.all(marks.map((mark) => shared.unmark(mark.id).catch(() => undefined)));
  }

  /** @returns false if it had ended before. */
  ended(mark: Mark): boolean {
    const deadline = this.#open.get(mark);
    if (deadline === undefined) return false;
    deadline.cancel();
    this.#open.delete(mark);
    this.holds.remove(mark.tags);
    return true;
  }

  /** What is open ends with its write, or by its deadline in the store. */
  close(): void {
    this.#closed = true;
    for (const deadline of this.#open.values()) deadline.cancel();
  }
}
