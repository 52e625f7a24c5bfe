// Requests that come while one is under way go together with the next.

interface Batch<T, R> {
  readonly wanted: Set<T>;
  readonly answer: Promise<Map<T, R>>;
  readonly send: () => void;
}

/** A request is sent after all who share it have asked, so its answer is as current for each as one of his own. */
export class Gathered<T, R> {
  #under: Promise<unknown> | undefined;
  readonly #waiting: Batch<T, R>[] = [];
  /** In which of them something is asked for already. */
  readonly #places = new Map<T, Batch<T, R>>();

  /** @param most in one request. @param ask answers for all of them, or rejects for all. */
  constructor(
    private readonly most: number,
    private readonly ask: (wanted: readonly T[]) => Promise<Map<T, R>>,
  ) {}

  add(wanted: readonly T[]): Promise<Map<T, R>> {
    const batch = this.#placeOf(wanted);
    for (const one of wanted) this.#places.set(one, batch);
    for (const one of wanted) batch.wanted.add(one);
    this.#next();
    return batch.answer;
  }

  #placeOf(wanted: readonly T[]): Batch<T, R> {
    const [only] = wanted;
    const known = wanted.length === 1 && only !== undefined ? this.#places.get(only) : undefined;
    if (known !== undefined) return known;
    const last = this.#waiting.at(-1);
    return last !== undefined && last.wanted.size + wanted.length <= this.most ? last : this.#open();
  }

  #open(): Batch<T, R> {
    const wanted = new Set<T>();
    let send: () => void = () => undefined;
    const answer = new Promise<void>((resolve) => {
      send = resolve;
    }).then(() => this.ask([...wanted]));
    const batch = { wanted, answer, send };
    this.#waiting.push(batch);
    return batch;
  }

  #next(): void {
    if (this.#under !== undefined) return;
    const batch = this.#waiting.shift();
    if (batch === undefined) return;
    for (const one of batch.wanted) if (this.#places.get(one) === batch) this.#places.delete(one);
    batch.send();
    const over = () => {
      this.#under = undefined;
      this.#next();
    };
    this.#under = batch.answer.then(over, over);
  }
}
