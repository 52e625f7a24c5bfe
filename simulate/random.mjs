// Chance from a seed: the same seed makes the same choices on every machine.

/** @typedef {ReturnType<typeof createRandom>} Random */

/** @param {number} seed */
export function createRandom(seed) {
  // Neighbouring seeds would begin alike: spread them first.
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0;
  /** Uniform in [0, 1). */
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  /** An integer from 0 to `bound` - 1. @param {number} bound */
  const below = (bound) => Math.floor(next() * bound);
  return {
    next,
    below,
    /** Both ends included. @param {number} least @param {number} most */
    between: (least, most) => least + below(most - least + 1),
    /** @param {number} probability */
    chance: (probability) => next() < probability,
    /** @template T @param {readonly T[]} list @returns {T} */
    pick: (list) => /** @type {T} */ (list[below(list.length)]),
  };
}
