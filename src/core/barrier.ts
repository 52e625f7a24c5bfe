// Makes a writer wait for the processes that may still serve from memory what he has changed.
import type { Clock } from '../contract/clock.js';
import type { Invalidated } from '../contract/store.js';

interface Waiter {
  readonly epoch: string;
  readonly seq: number;
  readonly missing: Set<string>;
  readonly release: () => void;
}

/** Acknowledgements remembered because they may arrive before the writer knows that he waits for them. */
const MOST_REMEMBERED = 1000;

/**
 * A process that holds a registered lease serves from memory without asking. The writer is answered when each of them
 * has taken the invalidation, or when its lease must have ended: it cannot be renewed by who has not taken it.
 * (Gray and Cheriton 1989, read leases.)
 */
export class Barrier {
  readonly #leaseMs: number;
  readonly #clock: Clock;
  /** Whether anybody may hold such a lease, as far as is known here: else a new epoch leaves nobody behind. */
  expected = false;
  readonly #waiting = new Set<Waiter>();
  /** How far each process has said it has come. */
  readonly #heard = new Map<string, { epoch: string; seq: number }>();

  constructor(leaseMs: number, clock: Clock) {
    this.#leaseMs = leaseMs;
    this.#clock = clock;
  }

  /**
   * Resolves when `invalidated` is in force everywhere.
   * @returns the processes that did not answer within one lease.
   */
  async passed({ epoch, seq, awaited = [], epochAgeMs = Infinity }: Invalidated): Promise<readonly string[]> {
    if (awaited.length > 0) this.expected = true;
    const missing = new Set(awaited.filter((process) => !this.#hasTaken(process, epoch, seq)));
    // The leases of the epoch before are not known any more; they end by themselves.
    const unknownMs = this.expected ? Math.max(0, this.#leaseMs - epochAgeMs) : 0;
    if (missing.size === 0 && unknownMs === 0) return [];
    const waits: Promise<void>[] = [];
    if (unknownMs > 0) waits.push(new Promise((resolve) => this.#clock.after(unknownMs, resolve)));
    if (missing.size > 0) waits.push(this.#acknowledgements(epoch, seq, missing));
    await Promise.all(waits);
    return [...missing];
  }

  acknowledged(process: string, epoch: string, seq: number): void {
    const known = this.#heard.get(process);
    if (known?.epoch === epoch && known.seq >= seq) return;
    this.#heard.delete(process);
    this.#heard.set(process, { epoch, seq });
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > MOST_REMEMBERED && oldest !== undefined) this.#heard.delete(oldest);
    for (const waiter of this.#waiting) {
      if (waiter.epoch !== epoch || waiter.seq > seq) continue;
      waiter.missing.delete(process);
      if (waiter.missing.size === 0) waiter.release();
    }
  }

  #acknowledgements(epoch: string, seq: number, missing: Set<string>): Promise<void> {
    return new Promise((resolve) => {
      const release = () => {
        timer.cancel();
        this.#waiting.delete(waiter);
        resolve();
      };
      const waiter: Waiter = { epoch, seq, missing, release };
      const timer = this.#clock.after(this.#leaseMs, release);
      this.#waiting.add(waiter);
    });
  }

  #hasTaken(process: string, epoch: string, seq: number): boolean {
    const heard = this.#heard.get(process);
    return heard?.epoch === epoch && heard.seq >= seq;
  }
}
