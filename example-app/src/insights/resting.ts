// What has just failed is not asked again at once: whoever waited for an analysis would ask for it anew, each at a price.

/** Long enough for those who waited, short enough for who tries again. */
const REST_MS = 5000;
const MOST = 1000;

export class Resting {
  readonly #failed = new Map<string, { readonly error: Error; readonly until: number }>();

  /** @throws what the last attempt of this name has thrown, for a moment */
  check(name: string, now: number): void {
    const last = this.#failed.get(name);
    if (last === undefined) return;
    if (now < last.until) throw last.error;
    this.#failed.delete(name);
  }

  failed(name: string, error: Error, now: number): void {
    this.#failed.delete(name);
    const oldest = this.#failed.size < MOST ? undefined : this.#failed.keys().next().value;
    if (oldest !== undefined) this.#failed.delete(oldest);
    this.#failed.set(name, { error, until: now + REST_MS });
  }
}
