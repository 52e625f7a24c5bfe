// The first so many of any number of things in an order, in memory for no more than twice as many.

/** Pure but for itself. */
export class Best<T> {
  #kept: T[] = [];
  #passed = 0;

  /** @param most at least one */
  constructor(
    private readonly most: number,
    private readonly compare: (one: T, other: T) => number,
  ) {}

  offer(one: T): void {
    this.#kept.push(one);
    if (this.#kept.length >= 2 * this.most) this.#sort();
  }

  /** In order. */
  get first(): readonly T[] {
    this.#sort();
    return this.#kept;
  }

  /** Whether others were offered than {@link first}. */
  get hasMore(): boolean {
    this.#sort();
    return this.#passed > 0;
  }

  #sort(): void {
    this.#kept.sort(this.compare);
    this.#passed += Math.max(0, this.#kept.length - this.most);
    this.#kept.length = Math.min(this.#kept.length, this.most);
  }
}
