// A Redis and a database in memory, as the sweeper sees them, that a test can stop, split, restore and look into.
import type { Position } from '../../../src/contract/entry.js';
import type { History, Observation } from '../../../src/contract/history.js';
import type { OutboxDatabase, OutboxRow, OutboxState, Scan } from '../../../src/contract/outbox.js';
import type { InvalidateOptions } from '../../../src/contract/store.js';

/** Called before every step; may change the world, wait, or throw. */
export type Interference = (step: string) => Promise<void> | void;

/** Everything that happened, in order, e.g. `observe`, `invalidate a:1`. */
export type Journal = string[];

export class MemoryHistory implements History {
  epoch = 'unadopted';
  seq = 1;
  generation: number | undefined;
  live: number | undefined;
  /** The clock of this Redis, ms; moves with every step. */
  now = 1_000_000;
  pruned: number[] = [];
  /** The sequence number and WAL position of the last claim. */
  shown: { seq: number; lsn: string | undefined } | undefined;

  constructor(
    readonly journal: Journal = [],
    public interfere: Interference = () => undefined,
  ) {}

  /** A restart without data, or a promotion: nothing is adopted. */
  lose(): void {
    Object.assign(this, { epoch: `spare${this.now}`, seq: this.seq + 1, generation: undefined, live: undefined });
  }

  /** Another server with the same data, as a replica was before its promotion. */
  copy(): MemoryHistory {
    const { epoch, seq, generation, live, now } = this;
    return Object.assign(new MemoryHistory(this.journal), { epoch, seq, generation, live, now });
  }

  async observe(): Promise<Observation> {
    await this.#step('observe');
    const { position, now, generation } = this;
    return { position, now, generation, ageMs: this.live === undefined ? undefined : now - this.live };
  }

  async keepAlive(position: Position, at: number): Promise<boolean> {
    await this.#step(`keepAlive ${at}`);
    if (position.epoch !== this.epoch || at > this.now || (this.live !== undefined && at <= this.live)) return false;
    this.live = at;
    this.shown = { seq: position.seq, lsn: position.lsn };
    return true;
  }

  async adopt(expected: string, epoch: string, generation: number): Promise<Position | undefined> {
    await this.#step('history.adopt');
    if (this.epoch !== expected) return undefined;
    Object.assign(this, { epoch, generation, seq: this.seq + 1, live: undefined });
    return this.position;
  }

  async invalidate(tags: readonly string[], { lsn = '' }: InvalidateOptions = {}): Promise<Position> {
    await this.#step(`invalidate ${[...tags, lsn].join(' ').trim()}`);
    this.seq += 1;
    return this.position;
  }

  async prune({ seq: upTo }: Position): Promise<void> {
    await this.#step(`prune ${upTo}`);
    this.pruned.push(upTo);
  }

  get position(): Position {
    return { epoch: this.epoch, seq: this.seq };
  }

  async #step(name: string): Promise<void> {
    this.now += 1;
    this.journal.push(name);
    await this.interfere(name.split(' ')[0] ?? '');
  }
}

export class MemoryDatabase implements OutboxDatabase {
  state: OutboxState = { generation: 0, epoch: '', seq: 0, incarnation: '', silentMs: Infinity };
  incarnation = 'server 1';
  lsn: string | undefined;
  rows: OutboxRow[] = [];
  /** Of a database that numbers them. */
  transactions: Scan['transactions'] | undefined;
  aside: string[] = [];

  constructor(
    readonly journal: Journal = [],
    public interfere: Interference = () => undefined,
  ) {}

  commit(id: string | number, tags: readonly string[] | undefined, more: Partial<OutboxRow> = {}): void {
    this.rows.push({ id: String(id), tags, intent: false, ageMs: 5, ...more });
  }

  async scan(limit: number): Promise<Scan> {
    await this.#step('scan');
    const rows = [...this.rows].sort((a, b) => Number(a.id) - Number(b.id)).slice(0, limit);
    const { state, incarnation, lsn, transactions } = this;
    return { state, incarnation, rows, count: this.rows.length, lsn, ...(transactions && { transactions }) };
  }

  async remove(ids: readonly string[], epoch: string): Promise<number> {
    await this.#step(`remove ${ids.join(' ')}`);
    const before = this.rows.length;
    if (epoch === this.state.epoch) this.rows = this.rows.filter(({ id }) => !ids.includes(id));
    return before - this.rows.length;
  }

  async swept(epoch: string, seq: number): Promise<boolean> {
    await this.#step(`swept ${seq}`);
    if (epoch !== this.state.epoch) return false;
    this.state = { ...this.state, seq: Math.max(seq, this.state.seq), silentMs: 0 };
    return true;
  }

  async adopt(seen: OutboxState, next: { generation: number; epoch: string; incarnation: string }): Promise<boolean> {
    await this.#step('database.adopt');
    if (seen.generation !== this.state.generation || seen.epoch !== this.state.epoch) return false;
    this.state = { ...next, seq: 0, silentMs: 0 };
    return true;
  }

  async setAside(ids: readonly string[]): Promise<void> {
    await this.#step('setAside');
    this.rows = this.rows.filter(({ id }) => !ids.includes(id));
    this.aside.push(...ids);
  }

  async collapse(): Promise<number> {
    await this.#step('collapse');
    const { length } = this.rows;
    const intent = this.rows.some((row) => row.intent);
    this.rows = [];
    this.commit(999_999, ['*'], { intent });
    return length;
  }

  async #step(name: string): Promise<void> {
    this.journal.push(name);
    await this.interfere(name.split(' ')[0] ?? '');
  }
}
