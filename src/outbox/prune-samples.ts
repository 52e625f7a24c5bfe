// Remembers when which sequence number was current, to know how far back the tag table may be forgotten.
import type { Position } from '../contract/entry.js';

const LEAST_SPACING_MS = 60_000;
/** Samples kept; longer lives of entries are sampled less often. */
const MOST_SAMPLES = 500;

interface Sample {
  /** By the clock of Redis, ms. */
  readonly at: number;
  readonly seq: number;
}

export class PruneSamples {
  #epoch = '';
  #samples: Sample[] = [];

  /**
   * Notes that `position` was current at `at` (clock of Redis, ms).
   * @returns the sequence number that had been reached `keepMs` ago: no entry as old as that is alive. Undefined between
   * samples, and while the past is not known that far.
   */
  note({ epoch, seq }: Position, at: number, keepMs: number): number | undefined {
    const last = this.#samples.at(-1);
    if (epoch !== this.#epoch || (last && at < last.at)) this.#samples = [];
    else if (last && at - last.at < Math.max(LEAST_SPACING_MS, keepMs / (MOST_SAMPLES - 2))) return undefined;
    this.#epoch = epoch;
    this.#samples.push({ at, seq });
    const young = this.#samples.findIndex((sample) => sample.at > at - keepMs);
    const old = this.#samples[young - 1];
    this.#samples = this.#samples.slice(Math.max(young - 1, this.#samples.length - MOST_SAMPLES, 0));
    return old?.seq;
  }
}
