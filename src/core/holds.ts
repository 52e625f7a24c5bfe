// Tags that this process must neither serve nor store at the moment, counted, because several writes may hold one.

export class Holds {
  readonly #counts = new Map<string, number>();

  /** Different tags held. */
  get size(): number {
    return this.#counts.size;
  }

  /** Each tag with how many hold it, as of now. */
  entries(): [tag: string, count: number][] {
    return [...this.#counts];
  }

  touch(tags: readonly string[]): boolean {
    return tags.some((tag) => this.#counts.has(tag));
  }

  add(tags: readonly string[]): void {
    for (const tag of tags) this.#counts.set(tag, (this.#counts.get(tag) ?? 0) + 1);
  }

  remove(tags: readonly string[], times = 1): void {
    for (const tag of tags) {
      const left = (this.#counts.get(tag) ?? 0) - times;
      if (left > 0) this.#counts.set(tag, left);
      else this.#counts.delete(tag);
    }
  }
}
