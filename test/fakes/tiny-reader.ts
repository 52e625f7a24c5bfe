// The smallest honest Reader: one map, one running load per key, and a record of what it was asked and told.
import type { Clock } from '../../src/contract/clock.js';
import type { Entry, Form } from '../../src/contract/entry.js';
import type { DeclineReason } from '../../src/contract/events.js';
import type { Draft, Load, Reader, ReadRequest, Turn } from '../../src/contract/reading.js';

type Settlement = { readonly entry: Entry } | { readonly declined: DeclineReason };

export class TinyReader implements Reader {
  readonly entries = new Map<string, Entry>();
  readonly asked: ReadRequest[] = [];
  readonly declined: DeclineReason[] = [];
  /** Answers with promises, as a reader over a network does. */
  later = false;
  /** Overrides the next answers. */
  script: ((request: ReadRequest) => Turn | Promise<Turn>) | undefined;
  readonly #clock: Clock;
  readonly #flights = new Map<string, Promise<Settlement>>();
  readonly #gone = new Set<string>();
  #watchers: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get running(): number {
    return this.#flights.size;
  }

  read(request: ReadRequest): Turn | Promise<Turn> {
    this.asked.push(request);
    this.#notify();
    if (this.script !== undefined) return this.script(request);
    const turn = this.#attempt(request, 0);
    return this.later ? Promise.resolve(turn) : turn;
  }

  /** Everything is gone, and said to have been invalidated. */
  invalidate(): void {
    for (const key of this.entries.keys()) this.#gone.add(key);
    this.entries.clear();
  }

  /** Keeps it with the entry, as a store does. */
  keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): void {
    if (this.entries.get(key) === entry) this.entries.set(key, { ...entry, forms: { ...entry.forms, [form]: bytes } });
    this.#notify();
  }

  /** The only entry. */
  get entry(): Entry {
    const [entry, ...others] = this.entries.values();
    if (entry === undefined || others.length > 0) throw new Error(`${this.entries.size} entries instead of one`);
    return entry;
  }

  /** Resolves as soon as `condition` holds, checked after each question and each settlement. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  #attempt(request: ReadRequest, waits: number): Turn | Promise<Turn> {
    const entry = this.entries.get(request.key);
    const now = this.#clock.now();
    const fresh = entry !== undefined && now < entry.staleAt;
    if (fresh && request.refresh !== true && (request.accept?.(entry, now) ?? true)) {
      return { next: 'serve', entry, layer: 'memory', coalesced: false };
    }
    if (request.onlyIfCached) return { next: 'none' };
    const flight = this.#flights.get(request.key);
    if (flight !== undefined && request.refresh !== true && waits < 3) {
      return flight.then((end): Turn | Promise<Turn> => {
        if ('entry' in end) return { next: 'serve', entry: end.entry, layer: 'memory', coalesced: true };
        return this.#attempt(request, 3);
      });
    }
    const reason = fresh
      ? 'request'
      : entry !== undefined
        ? 'expired'
        : this.#gone.has(request.key)
          ? 'invalidated'
          : 'absent';
    return { next: 'lead', load: this.#load(request), reason };
  }

  #load(request: ReadRequest): Load {
    const createdAt = this.#clock.now();
    let land: (settlement: Settlement) => void = () => undefined;
    const flight = new Promise<Settlement>((resolve) => {
      land = resolve;
    });
    if (!this.#flights.has(request.key)) this.#flights.set(request.key, flight);
    let settled = false;
    const settle = (settlement: Settlement) => {
      settled = true;
      if (this.#flights.get(request.key) === flight) this.#flights.delete(request.key);
      land(settlement);
      this.#notify();
    };
    return {
      key: request.key,
      position: { epoch: 'one', seq: 0 },
      ttlMs: request.ttlMs,
      createdAt,
      bill: { add: () => undefined, carry: () => undefined, cost: undefined },
      run: (computation) => computation(),
      addTags: () => undefined,
      store: async (draft: Draft) => {
        if (settled) return 'declined';
        const key = draft.key ?? request.key;
        const staleAt = createdAt + Math.min(request.ttlMs, draft.ttlMs ?? Infinity);
        const entry: Entry = {
          ...draft,
          type: request.type,
          owner: request.owner,
          createdAt,
          staleAt,
          deleteAt: staleAt,
          computeMs: this.#clock.now() - createdAt,
          tags: request.tags,
          epoch: 'one',
          asOf: 0,
        };
        this.entries.set(key, entry);
        settle(key === request.key ? { entry } : { declined: 'stale' });
        return 'stored';
      },
      decline: (reason) => {
        if (settled) return;
        this.declined.push(reason);
        settle({ declined: reason });
      },
      leave: () => undefined,
      giveUp: () => undefined,
      get settled() {
        return settled;
      },
    };
  }

  #notify(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }
}
