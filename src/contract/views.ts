// Materialised views as readers and operators see them: as of when they are, and what is not well.

/** A route's views, asked for each request. */
export interface RouteViews {
  /** What a report depends on through them. Undefined: the database that holds them is not connected, so nobody knows. */
  tags(): readonly string[] | undefined;
  /** By name, as of when they are; asked before the report reads them. Never rejects: what is not known is left out. */
  asOf(): Promise<ReadonlyMap<string, Date>>;
}

/** How one materialised view stands, as far as this process knows. */
export interface ViewHealth {
  readonly name: string;
  /** Every change committed before this is in it. Undefined: never refreshed, or not known yet. */
  readonly asOf: Date | undefined;
  /** Something has changed since, and a refresh is due. */
  readonly due: boolean;
  /** A refresh is running in this process. */
  readonly refreshing: boolean;
  /** Attempts of this process that have failed since the last one that did not. */
  readonly failures: number;
}
