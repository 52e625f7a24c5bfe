// What labels say where events are free to say anything: one of a constant set, or `other`, so that nobody's words make a series.

export const OTHER = 'other';

const oneOf = (...known: readonly string[]) => {
  const set = new Set(known);
  return (word: string): string => (set.has(word) ? word : OTHER);
};

/** Of `miss`. */
export const missReason = oneOf('absent', 'invalidated', 'epoch', 'expired', 'early', 'request', 'overload');

/** Of invalidations; `invalidate()` takes any word of the application. */
export const cause = oneOf(
  'commit',
  'autocommit',
  'rollback',
  'raw',
  'mark',
  'call',
  'pattern',
  'delete',
  'clear',
  'resource',
  'admin',
  'view',
  'superseded',
  'several',
  'post',
  'put',
  'patch',
);

/** Of `layerFailed`. */
export const operation = oneOf(
  'lookup',
  'put',
  'invalidate',
  'position',
  'mark',
  'unmark',
  'claim',
  'renewClaim',
  'endClaim',
  'keepForm',
  'charge',
  'schedule',
  'listen',
  'compress',
  'decompress',
  'decode',
);
