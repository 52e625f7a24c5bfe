// What this process has loaded of each organisation's resources: how often, how many rows, how long it took.

export interface LoadCount {
  readonly loads: number;
  /** Of the last load. */
  readonly rows: number;
  readonly ms: number;
}

export class LoadCounts {
  /** As many as there are organisations in the database: nothing is loaded for others. */
  readonly #counts = new Map<string, Map<string, LoadCount>>();

  async count<T>(organization: string, resource: string, load: () => T | Promise<T>): Promise<T> {
    const started = performance.now();
    const value = await load();
    const ofOrganization = this.#counts.get(organization) ?? new Map<string, LoadCount>();
    this.#counts.set(organization, ofOrganization);
    ofOrganization.set(resource, {
      loads: (ofOrganization.get(resource)?.loads ?? 0) + 1,
      rows: Array.isArray(value) ? value.length : 1,
      ms: Math.round((performance.now() - started) * 100) / 100,
    });
    return value;
  }

  of(organization: string, resource: string): LoadCount {
    return this.#counts.get(organization)?.get(resource) ?? { loads: 0, rows: 0, ms: 0 };
  }
}
