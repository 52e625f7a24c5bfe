// Pure: which versions are approved, and which one is served.
import { ReportCacheError } from '../contract/errors.js';
import type { Approval, Votes, VersionSelection, VersionSummary } from '../options/versions.js';

/** Nobody's silence counts: only votes do. */
export function isApproved({ up, down }: Votes, { net, share }: Approval): boolean {
  return up - down >= net && up >= share * (up + down);
}

type Order = (one: VersionSummary, other: VersionSummary) => number;

const newestFirst: Order = (one, other) => other.version - one.version;
const byVotes: Order = (one, other) => other.up - other.down - (one.up - one.down) || newestFirst(one, other);
const approvedFirst: Order = (one, other) => Number(other.approved) - Number(one.approved) || byVotes(one, other);
const ORDERS = { newest: newestFirst, votes: byVotes, best: approvedFirst } as const;

/**
 * @param versions newest first
 * @returns undefined: there are none. @throws ERC_VERSION where a selection of the application names none of them
 */
export function selected(
  versions: readonly VersionSummary[],
  pinned: number | undefined,
  select: VersionSelection,
): number | undefined {
  if (versions.length === 0) return undefined;
  if (versions.some(({ version }) => version === pinned)) return pinned;
  if (typeof select !== 'function') return versions.toSorted(ORDERS[select])[0]?.version;
  const chosen = select(versions);
  if (versions.some(({ version }) => version === chosen)) return chosen;
  throw new ReportCacheError('ERC_VERSION', `The selection returned ${String(chosen)}, which is none of the versions.`);
}
