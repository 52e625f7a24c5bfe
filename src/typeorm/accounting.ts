// Matches statements with the entity events around them, so that only statements nobody announced count as raw.
import type { Verb } from './statement.js';

type Counted = Exclude<Verb, 'truncate'>;

interface Slot {
  readonly verb: Counted;
  readonly table: string;
  /** Rows that before-events announced and no statement has written yet. */
  announced: number;
  /** Rows that a statement wrote and no after-event has confirmed yet. */
  written: number;
  /** One of the written statements may have changed or skipped rows, or gave rows the ids of others. */
  doubtful: boolean;
}

/**
 * The ORM tells of a write twice, before and after, and its statement lies between. A statement that was announced
 * needs no coarse tags, provided that its after-event arrives; one too many was somebody else's.
 */
export class Accounting {
  readonly #slots = new Map<string, Slot>();

  announce(verb: Counted, table: string): void {
    const key = `${verb} ${table}`;
    const slot = this.#slots.get(key);
    if (slot) slot.announced++;
    else this.#slots.set(key, { verb, table, announced: 1, written: 0, doubtful: false });
  }

  /**
   * A statement was executed. True: it was announced.
   * @param rows rows in an INSERT's list; an UPDATE is announced once per statement, a DELETE covers all announced rows.
   */
  write(verb: Counted, table: string, rows: number | undefined, doubtful: boolean): boolean {
    const slot = this.#slots.get(`${verb} ${table}`);
    if (!slot || slot.announced === 0) return false;
    const taken = verb === 'delete' ? slot.announced : verb === 'update' ? 1 : rows;
    if (taken === undefined || taken === 0 || taken > slot.announced) return false;
    slot.announced -= taken;
    slot.written += taken;
    slot.doubtful ||= doubtful;
    return true;
  }

  /** The after-event of one row or statement. `plain`: it belongs to a statement that did just what it was told. */
  confirm(verb: Counted, table: string): 'plain' | 'doubtful' | 'unseen' {
    const key = `${verb} ${table}`;
    const slot = this.#slots.get(key);
    if (!slot) return 'unseen';
    if (slot.written === 0) {
      if (--slot.announced <= 0) this.#slots.delete(key);
      return 'unseen';
    }
    const answer = slot.doubtful ? 'doubtful' : 'plain';
    if (--slot.written === 0) {
      slot.doubtful = false;
      if (slot.announced === 0) this.#slots.delete(key);
    }
    return answer;
  }

  /** An announced statement failed: nothing was written. */
  failed(verb: Counted, table: string): void {
    const slot = this.#slots.get(`${verb} ${table}`);
    if (!slot) return;
    slot.announced = verb === 'update' ? Math.max(0, slot.announced - 1) : 0;
    if (slot.announced + slot.written === 0) this.#slots.delete(`${verb} ${table}`);
  }

  /** Between a before-event and its after-event. */
  get busy(): boolean {
    return this.#slots.size > 0;
  }

  get unconfirmed(): boolean {
    for (const slot of this.#slots.values()) if (slot.written > 0) return true;
    return false;
  }

  /** Writes that no after-event has confirmed yet. */
  get unconfirmedWrites(): readonly { readonly verb: Counted; readonly table: string }[] {
    return [...this.#slots.values()].filter(({ written }) => written > 0);
  }

  /** Writes whose after-event never came; forgets them. */
  takeUnconfirmed(): { readonly verb: Counted; readonly table: string }[] {
    const taken: { verb: Counted; table: string }[] = [];
    for (const [key, slot] of this.#slots) {
      if (slot.written === 0) continue;
      taken.push({ verb: slot.verb, table: slot.table });
      slot.written = 0;
      slot.doubtful = false;
      if (slot.announced === 0) this.#slots.delete(key);
    }
    return taken;
  }

  clear(): void {
    this.#slots.clear();
  }
}
