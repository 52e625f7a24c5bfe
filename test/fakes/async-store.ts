// Any store behind promises: proves that callers do not depend on an answer being synchronous.
import type { Dependency, Entry, Form, Position } from '../../src/contract/entry.js';
import type { Consistency, Lookup, PutOutcome, Store } from '../../src/contract/store.js';

export class AsyncStore implements Store {
  readonly name;
  constructor(private readonly inner: Store) {
    this.name = inner.name;
  }
  async lookup(key: string, consistency?: Consistency): Promise<Lookup> {
    await Promise.resolve();
    return this.inner.lookup(key, consistency);
  }
  async put(key: string, entry: Entry, inherited?: readonly Dependency[]): Promise<PutOutcome> {
    await Promise.resolve();
    return this.inner.put(key, entry, inherited);
  }
  refutes(key: string, entry: Entry, proved: Position): boolean {
    return this.inner.refutes?.(key, entry, proved) ?? false;
  }

  async keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): Promise<void> {
    await Promise.resolve();
    await this.inner.keepForm(key, entry, form, bytes);
  }
  async invalidate(tags: readonly string[]): Promise<Position> {
    await Promise.resolve();
    return this.inner.invalidate(tags);
  }
  async position(): Promise<Position> {
    await Promise.resolve();
    return this.inner.position();
  }
  evict(): void {
    this.inner.evict();
  }
  async close(): Promise<void> {
    await this.inner.close();
  }
}
