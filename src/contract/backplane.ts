// Notices of invalidation between processes: what happened, never values.

export interface BackplaneListener {
  /** An invalidation with its place in the contiguous history; no tags: a new epoch began. */
  push(epoch: string, seq: number, tags: readonly string[]): void;
  /** The connection was lost: pushes may have been missed from here on. */
  lost(): void;
}

export interface Backplane {
  /** Starts delivering to the one listener. */
  listen(listener: BackplaneListener): void;
}
