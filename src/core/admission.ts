// How many readers of this process may wait, and how many reports it may compute, at the same time.

export interface AdmissionLimits {
  /** Most readers who wait for computations of others. */
  readonly maxWaiting: number;
  /** Most computations whose result the cache would take. */
  readonly maxComputing: number;
  /** What becomes of who may not wait. */
  readonly overload: 'compute' | 'refuse';
}

export const UNLIMITED: AdmissionLimits = { maxWaiting: Infinity, maxComputing: Infinity, overload: 'compute' };

/** Counts. Whoever is counted in gets the function that counts him out, which is called once. */
export class Admission {
  readonly #limits: AdmissionLimits;
  #waiting = 0;
  #computing = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get mayWait(): boolean {
    return this.#waiting < this.#limits.maxWaiting;
  }

  get mayCompute(): boolean {
    return this.#computing < this.#limits.maxComputing;
  }

  /** Whether who may not wait computes instead. */
  get computesInstead(): boolean {
    return this.#limits.overload === 'compute';
  }

  waits(): () => void {
    this.#waiting += 1;
    return () => {
      this.#waiting -= 1;
    };
  }

  computes(): () => void {
    this.#computing += 1;
    return () => {
      this.#computing -= 1;
    };
  }
}
