// A shared store inside the test: one truth, several clients whose pushes and answers can be lost, held or broken.
import type { Backplane, BackplaneListener } from '../../src/contract/backplane.js';
import type { Clock } from '../../src/contract/clock.js';
import type { Dependency, Entry, Position } from '../../src/contract/entry.js';
import type { Lookup, PutOutcome, Store } from '../../src/contract/store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';

export interface Gate {
  /** The operation has been executed; its answer is held. */
  readonly answered: Promise<void>;
  open(): void;
}

export class SharedHub {
  readonly #clients: HubClient[] = [];
  readonly #clock: Clock;
  #epochs = 1;
  truth: MemoryStore;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.truth = this.#fresh();
  }

  get epoch(): string {
    return this.truth.table.position.epoch;
  }

  client(): HubClient {
    const client = new HubClient(this);
    this.#clients.push(client);
    return client;
  }

  /** What a flush or a failover does: another epoch, no entries. */
  loseHistory({ silently = false } = {}): void {
    this.#epochs += 1;
    const { seq } = this.truth.table.position;
    this.truth = this.#fresh();
    this.truth.table.adopt({ epoch: `hub-${this.#epochs}`, seq: seq + 1 });
    if (!silently) this.publish({ epoch: this.epoch, seq: seq + 1 }, []);
  }

  publish({ epoch, seq }: Position, tags: readonly string[]): void {
    for (const client of this.#clients) client.deliver(epoch, seq, tags);
  }

  #fresh(): MemoryStore {
    const limits = { maxBytes: 1 << 26, maxBytesPerOwner: 1 << 26, maxTtlMs: Infinity };
    return new MemoryStore(new TagTable(`hub-${this.#epochs}`, 100_000), limits, this.#clock);
  }
}

export class HubClient implements Store, Backplane {
  readonly name = 'redis';
  readonly calls = { lookup: 0, put: 0, invalidate: 0, position: 0 };
  /** Loses every push. */
  deaf = false;
  /** Fails every operation. */
  broken = false;
  #listener: BackplaneListener | undefined;
  #positionGate: { gate: Promise<void>; answered: () => void } | undefined;
  #putGate: { gate: Promise<void>; answered: () => void } | undefined;

  constructor(private readonly hub: SharedHub) {}

  listen(listener: BackplaneListener): void {
    this.#listener = listener;
  }

  deliver(epoch: string, seq: number, tags: readonly string[]): void {
    if (!this.deaf) this.#listener?.push(epoch, seq, tags);
  }

  /** Holds the answer of the next `position()`. */
  holdPositions(): Gate {
    const { gate, hold } = makeGate();
    this.#positionGate = hold;
    return gate;
  }

  /** Holds the answer of the next `put()`. */
  holdPutAnswers(): Gate {
    const { gate, hold } = makeGate();
    this.#putGate = hold;
    return gate;
  }

  async lookup(key: string): Promise<Lookup> {
    this.calls.lookup += 1;
    if (this.broken) return { outcome: 'unavailable', reason: 'broken by the test' };
    const found = this.hub.truth.lookup(key);
    return found.outcome === 'hit' ? { ...found, layer: 'redis' } : found;
  }

  async put(key: string, entry: Entry, inherited?: readonly Dependency[]): Promise<PutOutcome> {
    this.calls.put += 1;
    if (this.broken) return 'unavailable';
    const outcome = this.hub.truth.put(key, entry, inherited);
    const gate = this.#putGate;
    this.#putGate = undefined;
    if (gate) {
      gate.answered();
      await gate.gate;
    }
    return outcome;
  }

  async invalidate(tags: readonly string[]): Promise<Position> {
    this.calls.invalidate += 1;
    if (this.broken) throw new Error('broken by the test');
    const position = this.hub.truth.invalidate(tags);
    this.hub.publish(position, tags);
    return position;
  }

  async position(): Promise<Position> {
    this.calls.position += 1;
    if (this.broken) throw new Error('broken by the test');
    const position = this.hub.truth.position();
    const gate = this.#positionGate;
    this.#positionGate = undefined;
    if (gate) {
      gate.answered();
      await gate.gate;
    }
    return position;
  }

  acknowledge(): void {}
  evict(): void {}
  close(): void {}
}

function makeGate() {
  let open: () => void = () => undefined;
  let answered: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const executed = new Promise<void>((resolve) => {
    answered = resolve;
  });
  return { gate: { answered: executed, open: () => open() }, hold: { gate, answered: () => answered() } };
}
