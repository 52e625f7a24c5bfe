// Looks up who is concerned by rows that are about to be removed, while they are still there to ask about.
import { errorText } from './apply-rules.js';
import type { Ledger, LedgerParts } from './ledger.js';
import { lookUp, settleCoarsely } from './look-up.js';
import { TagBag } from './tag-bag.js';
import { isPostgresLike, type QueryRunnerLike } from './typeorm-like.js';

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
      await this.#ask(runner, bag);
      this.ledger.foresee(runner, bag);
    });
    const farewell = { bag, done };
    this.#open.set(runner, farewell);
    return farewell;
  }

  /** In PostgreSQL a failed SELECT poisons the host's transaction, unless a savepoint stands before it. */
  async #ask(runner: QueryRunnerLike, bag: TagBag): Promise<void> {
    if (!bag.asks) return;
    const guarded = this.ledger.inTransaction(runner) && isPostgresLike(this.parts.driver.options.type);
    let failed = false;
    const emit: LedgerParts['emit'] = (event) => {
      failed ||= event.kind === 'cascadeFailed';
      this.parts.emit(event);
    };
    try {
      if (guarded) await runner.query('SAVEPOINT report_cache_look_up');
      await lookUp(runner, bag, { ...this.parts, emit });
      if (!guarded) return;
      if (failed) await runner.query('ROLLBACK TO SAVEPOINT report_cache_look_up');
      await runner.query('RELEASE SAVEPOINT report_cache_look_up');
    } catch (error) {
      this.parts.emit({ kind: 'cascadeFailed', entity: 'look-up', error: errorText(error) });
      settleCoarsely(bag);
    }
  }
}
