// Notices of invalidation between processes: what happened, never values.

export interface BackplaneListener {
  /**
   * An invalidation with its place in the contiguous history; no tags: a new epoch began.
   * @param awaitedBy the process whose writer waits until this one has taken it.
   */
  push(epoch: string, seq: number, tags: readonly string[], awaitedBy?: string): void;
  /** Another process has taken everything up to here. */
  acknowledged(process: string, epoch: string, seq: number): void;
  /** The connection was lost: pushes may have been missed from here on. */
  lost(): void;
}

export interface Backplane {
  /** Starts delivering to the one listener. */
  listen(listener: BackplaneListener): void;
  /** Tells a waiting writer how far this process has come. Never throws; a lost one costs him one lease. */
  acknowledge(writer: string, epoch: string, seq: number): void;
}
