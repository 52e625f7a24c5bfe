// Pure: what the end of a computation says of its report.
import type { DeclineReason } from '../contract/events.js';
import type { PutOutcome } from '../contract/store.js';

/** What is not stored for these reasons will not be in the next moment either: nobody should queue for it. */
export const UNFIT: ReadonlySet<PutOutcome> = new Set(['declined', 'flux']);

/** Whether the report is fit to be shared is as unknown as before. */
export const SAYS_NOTHING: ReadonlySet<DeclineReason> = new Set(['incomplete', 'head', 'busy']);

/** The handler has given another answer than the entry in its grace, and one that is not stored. */
export const SUPERSEDES: ReadonlySet<DeclineReason> = new Set([
  'status',
  'no-store',
  'no-cache',
  'max-age',
  'set-cookie',
  'vary-star',
  'partial',
  'too-large',
]);
