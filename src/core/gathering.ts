// What one computation gathers on its way: the tags and positions that its result depends on, and where it has read.
import type { Usage } from '../contract/costs.js';
import type { Dependency, Position } from '../contract/entry.js';
import type { Bill } from './bill.js';
import type { Computation } from './scope.js';

export class Gathering implements Computation {
  readonly tags: Set<string>;
  readonly inherited: Dependency[] = [];
  readonly position: Position;
  /** Something was read that may be older than the computation. */
  lagging = false;
  /** Something was read from a replica of the database. */
  replicaRead = false;
  readonly #bill: Bill;
  #outer: Computation | undefined;

  /** @param outer the computation around, which depends on all that this one does */
  constructor(tags: Iterable<string>, position: Position, bill: Bill, outer: Computation | undefined) {
    this.tags = new Set(tags);
    this.position = position;
    this.#bill = bill;
    this.#outer = outer;
    outer?.addTags(this.tags);
  }

  get persisted(): boolean {
    return this.position.database !== undefined;
  }

  /** Nothing of it reaches the computation around any more. */
  leave(): void {
    this.#outer = undefined;
  }

  addTags(tags: Iterable<string>): void {
    // An iterator can be read only once.
    const found = [...tags];
    for (const tag of found) this.tags.add(tag);
    this.#outer?.addTags(found);
  }

  spend(usage: Usage): void {
    this.#bill.add(usage);
  }

  inherit(dependency: Dependency): void {
    this.inherited.push(dependency);
    for (const tag of dependency.tags) this.tags.add(tag);
    this.#outer?.inherit(dependency);
  }

  get replayNeeded(): string {
    this.readFromReplica();
    // Who has read something old is not stored anyway, and need not wait for a replica again.
    return this.lagging ? '' : (this.position.lsn ?? '');
  }

  readFromReplica(): void {
    this.replicaRead = true;
    this.#outer?.readFromReplica();
  }

  readFromThePast(): void {
    this.lagging = true;
    this.#outer?.readFromThePast();
  }
}
