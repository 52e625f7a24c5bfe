// A computation as spans: the run of its handler or loader, then what is stored of it; or, in nobody's request, a trace of its own.
import type { DeclineReason } from '../contract/events.js';
import type { Draft, Load } from '../contract/reading.js';
import type { PutOutcome } from '../contract/store.js';
import type { Place, Span, SpanFacts } from '../contract/tracing.js';
import { within } from './within.js';

export class TracedLoad implements Load {
  readonly #load: Load;
  readonly #facts: SpanFacts;
  /** Where its spans belong: to its reader, until he goes on without it. */
  #place: Place;
  #refresh: Span | undefined;
  #running: Span | undefined;
  #ran = false;

  /** @param reader in whose name it is begun */
  constructor(load: Load, reader: Place, facts: SpanFacts) {
    this.#load = load;
    this.#place = reader;
    this.#facts = facts;
  }

  get key(): string {
    return this.#load.key;
  }

  get position(): Load['position'] {
    return this.#load.position;
  }

  get ttlMs(): number {
    return this.#load.ttlMs;
  }

  get createdAt(): number {
    return this.#load.createdAt;
  }

  get bill(): Load['bill'] {
    return this.#load.bill;
  }

  get settled(): boolean {
    return this.#load.settled;
  }

  run<T>(computation: () => T): T {
    this.#ran = true;
    // Nobody would say when it has ended.
    if (this.settled) return this.#load.run(computation);
    const span = this.#place.begin('load', this.#facts);
    this.#running = span;
    return span.run(() => this.#load.run(computation));
  }

  addTags(tags: Iterable<string>): void {
    this.#load.addTags(tags);
  }

  async store(draft: Draft): Promise<PutOutcome> {
    if (this.settled) return this.#load.store(draft);
    this.#running?.end();
    const span = this.#place.begin('store', { ...this.#facts, bytes: draft.body.length });
    const outcome = await within(
      span,
      () => this.#load.store(draft),
      (result) => ({ result }),
    );
    this.#refresh?.note({ result: outcome });
    this.#refresh?.end();
    return outcome;
  }

  decline(reason: DeclineReason): void {
    if (!this.settled) {
      const error = reason === 'error' || reason === 'incomplete' ? reason : undefined;
      for (const span of [this.#running, this.#refresh]) {
        span?.note({ declined: reason });
        span?.end(error);
      }
    }
    this.#load.decline(reason);
  }

  leave(): void {
    if (!this.#ran && this.#refresh === undefined) {
      this.#refresh = this.#place.follow('refresh', this.#facts);
      this.#place = this.#refresh;
    }
    this.#load.leave();
  }

  giveUp(): void {
    this.#running?.note({ overdue: true });
    this.#load.giveUp();
  }
}
