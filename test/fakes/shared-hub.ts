// A shared store inside the test: one truth, several clients whose pushes and answers can be lost, held or broken.
import type { Backplane, BackplaneListener } from '../../src/contract/backplane.js';
import type { Clock } from '../../src/contract/clock.js';
import type { Dependency, Entry, Form, Position } from '../../src/contract/entry.js';
import type { Invalidated, InvalidateOptions, Lookup, PutOutcome, Store } from '../../src/contract/store.js';
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
  #bornAt = 0;
  truth: MemoryStore;
  /** Nobody vouches for what is cached. */
  dead = false;
  /** Until when each process is waited for. */
  readonly leases = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.truth = this.#fresh();
  }

  get epoch(): string {
    return this.truth.table.position.epoch;
  }

  client(): HubClient {
    const client = new HubClient(this, `process-${this.#clients.length + 1}`);
    this.#clients.push(client);
    return client;
  }

  /** What a flush or a failover does: another epoch, no entries. */
  loseHistory({ silently = false } = {}): void {
    this.#epochs += 1;
    const { seq } = this.truth.table.position;
    this.leases.clear();
    this.#bornAt = this.#clock.monotonic();
    this.truth = this.#fresh();
    this.truth.table.adopt({ epoch: `hub-${this.#epochs}`, seq: seq + 1 });
    if (!silently) this.publish({ epoch: this.epoch, seq: seq + 1 }, []);
  }

  publish({ epoch, seq }: Position, tags: readonly string[], awaitedBy?: string): void {
    for (const client of this.#clients) client.deliver(epoch, seq, tags, awaitedBy);
  }

  get position(): Position {
    return { ...this.truth.position(), ...(this.dead && { live: false }) };
  }

  register(process: string, leaseMs: number): void {
    this.leases.set(process, this.#clock.monotonic() + leaseMs);
  }

  invalidate(tags: readonly string[], options: InvalidateOptions | undefined, writer: string): Invalidated {
    const position = this.truth.invalidate(tags, options);
    const now = this.#clock.monotonic();
    const awaited = [...this.leases].filter(([name, due]) => name !== writer && due > now).map(([name]) => name);
    this.publish(position, tags, awaited.length > 0 ? writer : undefined);
    return { ...position, awaited, epochAgeMs: now - this.#bornAt };
  }

  acknowledge(writer: string, process: string, epoch: string, seq: number): void {
    for (const client of this.#clients) if (client.process === writer) client.hear(process, epoch, seq);
  }

  #fresh(): MemoryStore {
    const limits = { maxBytes: 1 << 26, maxBytesPerOwner: 1 << 26, maxTtlMs: Infinity };
    return new MemoryStore(new TagTable(`hub-${this.#epochs}`, 100_000), limits, this.#clock);
  }
}

export class HubClient implements Store, Backplane {
  readonly name = 'redis';
  readonly calls = { lookup: 0, put: 0, invalidate: 0, position: 0 };
  /** What it was told to invalidate, and took. */
  readonly asked: { readonly tags: readonly string[]; readonly options: InvalidateOptions | undefined }[] = [];
  /** Loses every push. */
  deaf = false;
  /** Its acknowledgements are lost. */
  mute = false;
  /** Fails every operation. */
  broken = false;
  #listener: BackplaneListener | undefined;
  #positionGate: { gate: Promise<void>; answered: () => void } | undefined;
  #putGate: { gate: Promise<void>; answered: () => void } | undefined;
  #invalidationGate: { gate: Promise<void>; answered: () => void } | undefined;
  #late: (() => void)[] | undefined;

  constructor(
    private readonly hub: SharedHub,
    readonly process: string,
  ) {}

  listen(listener: BackplaneListener): void {
    this.#listener = listener;
  }

  deliver(epoch: string, seq: number, tags: readonly string[], awaitedBy?: string): void {
    if (this.deaf) return;
    const push = () => this.#listener?.push(epoch, seq, tags, awaitedBy);
    if (this.#late) this.#late.push(push);
    else push();
  }

  hear(process: string, epoch: string, seq: number): void {
    this.#listener?.acknowledged(process, epoch, seq);
  }

  /** Pushes wait until the test lets them through. */
  holdPushes(): () => void {
    this.#late = [];
    return () => {
      const late = this.#late ?? [];
      this.#late = undefined;
      for (const push of late) push();
    };
  }

  /** Holds the answer of the next `invalidate()`. */
  holdInvalidations(): Gate {
    const { gate, hold } = makeGate();
    this.#invalidationGate = hold;
    return gate;
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
    if (this.hub.dead) return { outcome: 'unavailable', reason: 'watermark' };
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

  async keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): Promise<void> {
    if (!this.broken) this.hub.truth.keepForm(key, entry, form, bytes);
  }

  async invalidate(tags: readonly string[], options?: InvalidateOptions): Promise<Invalidated> {
    this.calls.invalidate += 1;
    if (this.broken) throw new Error('broken by the test');
    this.asked.push({ tags, options });
    const invalidated = this.hub.invalidate(tags, options, this.process);
    const gate = this.#invalidationGate;
    this.#invalidationGate = undefined;
    if (gate) {
      gate.answered();
      await gate.gate;
    }
    return invalidated;
  }

  async position(leaseMs?: number): Promise<Position> {
    this.calls.position += 1;
    if (this.broken) throw new Error('broken by the test');
    if (leaseMs !== undefined) this.hub.register(this.process, leaseMs);
    const { position } = this.hub;
    const gate = this.#positionGate;
    this.#positionGate = undefined;
    if (gate) {
      gate.answered();
      await gate.gate;
    }
    return position;
  }

  acknowledge(writer: string, epoch: string, seq: number): void {
    if (!this.mute) this.hub.acknowledge(writer, this.process, epoch, seq);
  }

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
