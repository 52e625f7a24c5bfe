// Looks up who is concerned by rows that are about to be removed, while they are still there to ask about.
import type { Ledger, LedgerParts } from './ledger.js';
import { lookUp, lookUpInTransaction } from './look-up.js';
import { TagBag } from './tag-bag.js';
import type { QueryRunnerLike } from './typeorm-like.js';

/** The look-up for all rows that go in one statement. */
interface Farewell {
  readonly bag: TagBag;
  readonly done: Promise<void>;
}

export class Farewells {
  readonly #open = new WeakMap<QueryRunnerLike, Farewell>();

  constructor(
    private readonly ledger: Ledger,
    private readonly parts: LedgerParts,
  ) {}

  /** Takes what is to be looked up in this turn of events; `done` when the ledger has the answer. */
  of(runner: QueryRunnerLike): Farewell {
    const open = this.#open.get(runner);
    if (open) return open;
    const bag = new TagBag();
    // The before-events of all rows come in one turn; only then is it known what to ask.
    const done = Promise.resolve().then(async () => {
      this.#open.delete(runner);
      const inside = this.ledger.inTransaction(runner);
      await (inside ? lookUpInTransaction(runner, bag, this.parts) : lookUp(runner, bag, this.parts));
      this.ledger.foresee(runner, bag);
    });
    const farewell = { bag, done };
    this.#open.set(runner, farewell);
    return farewell;
  }
}
