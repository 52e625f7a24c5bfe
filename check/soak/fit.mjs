// Whether a figure goes on growing: a straight line through the second half of its samples.

/** @typedef {{ at: number, value: number }} Sample */

/**
 * By how much the value grows over the second half of the run, by the line that fits it best (least squares). The first half
 * is for caches to fill and code to be compiled.
 * @param {readonly Sample[]} samples in the order of their time
 */
export function growthOf(samples) {
  const half = samples.slice(Math.floor(samples.length / 2));
  const [first, last] = [half[0], half.at(-1)];
  if (first === undefined || last === undefined || last.at === first.at) return 0;
  const meanAt = half.reduce((sum, { at }) => sum + at, 0) / half.length;
  const meanValue = half.reduce((sum, { value }) => sum + value, 0) / half.length;
  const above = half.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - meanValue), 0);
  const below = half.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  return (above / below) * (last.at - first.at);
}
