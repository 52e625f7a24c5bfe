// Entries in no order, so that a fair sample of any number of them costs the same.
import type { Entry } from '../../contract/entry.js';

/** One entry in memory. */
export interface Slot {
  readonly key: string;
  readonly entry: Entry;
  readonly bytes: number;
  /** Wall clock, ms. */
  readonly until: number;
  /** When it was stored or last served: wall clock, ms. */
  usedAt: number;
  /** Until then nothing had touched it: its `asOf`, or later where a shared store has told so. */
  readonly provedAt: number;
  /** The table's `changes` when the entry was last found valid. */
  checkedAt: number;
  /** Its places in the bags, which only those change. */
  inAll: number;
  inOwner: number;
}

/** As many as Redis needs to come close to true LRU, and some more because the cost is judged too. */
const SAMPLE = 16;
/** Its multiples, modulo 1, lie evenly over [0, 1) however many there are; 16 in a row are 1/29 apart at least. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Above it no sample has anybody twice. */
const FEW = 32;

export class SlotBag {
  readonly #place: 'inAll' | 'inOwner';
  #slots: Slot[] = [];
  #bytes = 0;
  #turn = 0;

  /** @param place which of a slot's places is this bag's. */
  constructor(place: 'inAll' | 'inOwner') {
    this.#place = place;
  }

  get size(): number {
    return this.#slots.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(slot: Slot): void {
    slot[this.#place] = this.#slots.length;
    // Most owners have few entries: an array that was pushed to once has room for seventeen.
    if (this.#slots.length === 0) this.#slots = [slot];
    else this.#slots.push(slot);
    this.#bytes += slot.bytes;
  }

  /** The last one takes its place. */
  remove(slot: Slot): void {
    const last = this.#slots.pop();
    if (last !== undefined && last !== slot) {
      last[this.#place] = slot[this.#place];
      this.#slots[slot[this.#place]] = last;
    }
    this.#bytes -= slot.bytes;
  }

  /**
   * Spread over the whole bag from another beginning each time, none twice; of a small bag all. Not in equal steps: entries
   * often alternate in kind. The same calls give the same samples.
   */
  sample(): Slot[] {
    const { length } = this.#slots;
    if (length <= FEW) return [...this.#slots];
    const sample: Slot[] = [];
    for (let drawn = 0; drawn < SAMPLE; drawn += 1) {
      this.#turn = (this.#turn + GOLDEN) % 1;
      const slot = this.#slots[Math.floor(this.#turn * length)];
      if (slot !== undefined) sample.push(slot);
    }
    return sample;
  }
}
