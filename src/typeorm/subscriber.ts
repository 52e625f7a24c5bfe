// The subscriber: translates each TypeORM event into what the ledger has to know. Never throws, never rejects.
import { errorText } from '../contract/errors.js';
import type { Tag } from '../entry/tags.js';
import { applyRule, type KnownChange } from './apply-rules.js';
import { Farewells } from './farewells.js';
import { Ledger, type LedgerParts } from './ledger.js';
import { givenRow, idOf, isObject, storedRow, withId, type Given } from './rows.js';
import { insertedVersions, storedVersion, updatedVersions } from './row-versions.js';
import { Schema } from './schema.js';
import type { Verb } from './statement.js';
import { StatementWatch, type StatementParts } from './statement-watch.js';
import { TagBag } from './tag-bag.js';
import type {
  AfterQueryEventLike,
  EntityMetadataLike,
  EventLike,
  InsertEventLike,
  QueryEventLike,
  QueryRunnerLike,
  RemoveEventLike,
  SubscriberLike,
  UpdateEventLike,
} from './typeorm-like.js';

type Answer = Promise<void> | void;

export type SubscriberParts = LedgerParts & StatementParts;

export class CacheSubscriber implements SubscriberLike {
  readonly #ledger: Ledger;
  readonly #farewells: Farewells;
  readonly #statements: StatementWatch;
  /** What the host's object held before the ORM filled in nulls. */
  readonly #given = new WeakMap<object, Given>();

  constructor(private readonly parts: SubscriberParts) {
    this.#ledger = new Ledger(parts);
    this.#farewells = new Farewells(this.#ledger, parts);
    this.#statements = new StatementWatch(this.#ledger, parts);
  }

  /** A failure inside the plugin costs everything cached, never the host's write. */
  #guard(event: EventLike, entity: string, task: () => Answer): Answer {
    const failed = (error: unknown): Answer => {
      // The host prefers no write to one that readers may see before its invalidation.
      if (isObject(error) && Reflect.get(error, 'code') === 'ERC_MARK') throw error;
      this.parts.emit({ kind: 'cascadeFailed', entity, error: errorText(error) });
      const bag = new TagBag();
      bag.addEverything();
      return this.#ledger.record(event.queryRunner, bag);
    };
    try {
      const answer = task();
      return answer?.catch(failed);
    } catch (error) {
      return failed(error);
    }
  }

  /** What the application says that this runner has changed, as exactly as it is said. */
  note(runner: QueryRunnerLike, tags: readonly Tag[]): Answer {
    const bag = new TagBag();
    for (const tag of tags) bag.add(tag);
    return this.#ledger.record(runner, bag, 'raw');
  }

  // Inserts

  beforeInsert(event: InsertEventLike): Answer {
    return this.#guard(event, event.metadata.name, () => this.#announce(event, 'insert'));
  }

  afterInsert(event: InsertEventLike): Answer {
    const { metadata, queryRunner, entity } = event;
    return this.#guard(event, metadata.name, () => {
      const statement = this.#ledger.accounting(queryRunner).confirm('insert', Schema.key(metadata));
      const bag = new TagBag();
      this.parts.schema.addTableTags(metadata, bag);
      const id = idOf(metadata, event.entityId) ?? idOf(metadata, entity);
      if (statement !== 'plain' || id === undefined) this.#addCoarse(metadata, 'insert', bag);
      else if (metadata.isJunction) this.#applyToSides(metadata, event.entityId ?? entity, 'link', bag);
      else {
        const before = this.#takeGiven(entity);
        const versions = insertedVersions(event, id, before, this.#driverType);
        this.#apply({ metadata, kind: 'insert', id, versions }, bag);
      }
      return this.#ledger.record(queryRunner, bag);
    });
  }

  // Updates

  beforeUpdate(event: UpdateEventLike): Answer {
    return this.#guard(event, event.metadata.name, () => this.#announce(event, 'update'));
  }

  afterUpdate(event: UpdateEventLike): Answer {
    const { metadata, queryRunner, entity, databaseEntity } = event;
    return this.#guard(event, metadata.name, () => {
      const statement = this.#ledger.accounting(queryRunner).confirm('update', Schema.key(metadata));
      const before = this.#takeGiven(entity);
      const bag = new TagBag();
      this.parts.schema.addTableTags(metadata, bag);
      const id = idOf(metadata, databaseEntity);
      if (id === undefined || !isObject(entity) || statement === 'doubtful') {
        const columns = before && new Set(before.keys());
        this.#addCoarse(metadata, 'update', bag, columns);
      } else {
        const { versions, changed } = updatedVersions(event, entity, id, before, this.#driverType);
        this.#apply({ metadata, kind: 'update', id, versions }, bag);
        if (this.parts.schema.passesOn(metadata, changed)) this.parts.schema.addReach(metadata, 'update', bag);
      }
      return this.#ledger.record(queryRunner, bag);
    });
  }

  // Removals, soft removals, recoveries

  beforeRemove(event: RemoveEventLike): Answer {
    const { metadata, queryRunner } = event;
    return this.#guard(event, metadata.name, () => {
      this.#announce(event, 'delete');
      const id = idOf(metadata, event.entityId) ?? idOf(metadata, event.databaseEntity);
      // Without an id it is a removal by criteria: coarse, in the after-event.
      if (id === undefined) return;
      const { bag, done } = this.#farewells.of(queryRunner);
      this.parts.schema.addTableTags(metadata, bag);
      if (metadata.isJunction) this.#applyToSides(metadata, event.entityId, 'unlink', bag);
      else {
        const versions = [storedVersion(event, id, this.#driverType)];
        this.#apply({ metadata, kind: 'remove', id, versions }, bag);
        this.parts.schema.addReach(metadata, 'delete', bag, this.#announcedWith(event));
      }
      return done;
    });
  }

  /** Junction rows that the ORM removes itself, with events, before the entity. */
  #announcedWith(event: RemoveEventLike): ReadonlySet<string> {
    if (!event.databaseEntity) return new Set();
    return new Set(
      event.metadata.manyToManyRelations.flatMap((relation) =>
        relation.persistenceEnabled && relation.junctionEntityMetadata
          ? [Schema.key(relation.junctionEntityMetadata)]
          : [],
      ),
    );
  }

  afterRemove(event: RemoveEventLike): Answer {
    const { metadata, queryRunner } = event;
    return this.#guard(event, metadata.name, () => {
      this.#ledger.accounting(queryRunner).confirm('delete', Schema.key(metadata));
      const bag = new TagBag();
      this.parts.schema.addTableTags(metadata, bag);
      const known = idOf(metadata, event.entityId) ?? idOf(metadata, event.databaseEntity);
      if (known === undefined) this.#addCoarse(metadata, 'delete', bag);
      return this.#ledger.record(queryRunner, bag);
    });
  }

  beforeSoftRemove(event: RemoveEventLike): Answer {
    return this.#guard(event, event.metadata.name, () => this.#announce(event, 'update'));
  }

  afterSoftRemove(event: RemoveEventLike): Answer {
    return this.#afterMarked(event, 'softRemove');
  }

  beforeRecover(event: RemoveEventLike): Answer {
    return this.#guard(event, event.metadata.name, () => this.#announce(event, 'update'));
  }

  afterRecover(event: RemoveEventLike): Answer {
    return this.#afterMarked(event, 'recover');
  }

  #afterMarked(event: RemoveEventLike, kind: 'softRemove' | 'recover'): Answer {
    const { metadata, queryRunner } = event;
    return this.#guard(event, metadata.name, () => {
      const statement = this.#ledger.accounting(queryRunner).confirm('update', Schema.key(metadata));
      const bag = new TagBag();
      this.parts.schema.addTableTags(metadata, bag);
      const id = idOf(metadata, event.entityId) ?? idOf(metadata, event.databaseEntity);
      if (id === undefined || statement === 'doubtful') this.#addCoarse(metadata, 'update', bag);
      else {
        const versions = [storedVersion(event, id, this.#driverType)];
        this.#apply({ metadata, kind, id, versions }, bag);
      }
      return this.#ledger.record(queryRunner, bag);
    });
  }

  // Shared by the entity events

  get #driverType(): string {
    return this.parts.driver.options.type;
  }

  #announce(event: InsertEventLike, verb: 'insert' | 'update' | 'delete'): void {
    const { metadata, entity } = event;
    this.#ledger.accounting(event.queryRunner).announce(verb, Schema.key(metadata));
    if (isObject(entity)) this.#given.set(entity, givenRow(metadata, entity));
  }

  #takeGiven(entity: unknown): Given | undefined {
    if (!isObject(entity)) return undefined;
    const given = this.#given.get(entity);
    this.#given.delete(entity);
    return given;
  }

  #apply(change: KnownChange, bag: TagBag): void {
    for (const rule of this.parts.schema.rulesOf(change.metadata)) applyRule(rule, change, bag, this.parts.emit);
  }

  /** A row of a junction table came or went: its owners get no event of their own. */
  #applyToSides(metadata: EntityMetadataLike, source: unknown, kind: 'link' | 'unlink', bag: TagBag): void {
    const row = storedRow(metadata, source);
    for (const side of this.parts.schema.sidesOf(metadata)) {
      const values = side.columns?.map((column) => row.get(column));
      const id = values?.every((value) => value !== undefined && value !== null) ? values : undefined;
      const known = new Map<string, unknown>();
      withId(side.metadata, known, id, this.#driverType);
      const version = kind === 'link' ? 'new' : 'old';
      this.#apply({ metadata: side.metadata, kind, id, versions: [{ row: known, version }] }, bag);
    }
  }

  #addCoarse(metadata: EntityMetadataLike, verb: Verb, bag: TagBag, columns?: ReadonlySet<string>): void {
    const { schema } = this.parts;
    const reaches = verb !== 'update' || schema.passesOn(metadata, columns);
    // An insert that met a conflict is an update.
    schema.addCoarse(Schema.key(metadata), verb === 'insert' || !reaches ? 'insert' : verb, bag);
  }

  // Statements

  beforeQuery(event: QueryEventLike): Answer {
    return this.#guard(event, 'transaction', () => this.#statements.before(event));
  }

  afterQuery(event: AfterQueryEventLike): Answer {
    return this.#guard(event, 'query', () => this.#statements.after(event));
  }

  // Transactions

  beforeTransactionStart(event: EventLike): Answer {
    return this.#guard(event, 'transaction', () => this.#ledger.beforeStart(event.queryRunner));
  }

  afterTransactionStart(event: EventLike): Answer {
    return this.#guard(event, 'transaction', () => this.#ledger.afterStart(event.queryRunner));
  }

  beforeTransactionCommit(event: EventLike): Answer {
    return this.#guard(event, 'transaction', () => this.#ledger.beforeCommit(event.queryRunner));
  }

  afterTransactionCommit(event: EventLike): Answer {
    return this.#guard(event, 'transaction', () => this.#ledger.afterCommit(event.queryRunner));
  }

  beforeTransactionRollback(event: EventLike): Answer {
    return this.#guard(event, 'transaction', () => this.#ledger.beforeRollback(event.queryRunner));
  }

  afterTransactionRollback(event: EventLike): Answer {
    return this.#guard(event, 'transaction', () => this.#ledger.afterRollback(event.queryRunner));
  }
}
