// The subscriber: translates each TypeORM event into what the ledger has to know. Never throws, never rejects.
import { applyRule, errorText, type KnownChange } from './apply-rules.js';
import type { ChangeKind } from './cascade-rule.js';
import { Ledger, type LedgerParts } from './ledger.js';
import { lookUp, settleCoarsely } from './look-up.js';
import { givenRow, idOf, isObject, LOST, overlay, storedRow, withId, type Given, type RowId } from './rows.js';
import { Schema } from './schema.js';
import type { Effect, Verb } from './statement.js';
import { TagBag } from './tag-bag.js';
import { tableTag } from '../entry/tags.js';
import {
  isPostgresLike,
  type AfterQueryEventLike,
  type ColumnLike,
  type EntityMetadataLike,
  type EventLike,
  type InsertEventLike,
  type QueryEventLike,
  type QueryRunnerLike,
  type RemoveEventLike,
  type SubscriberLike,
  type UpdateEventLike,
} from './typeorm-like.js';

type Answer = Promise<void> | void;

export interface SubscriberParts extends LedgerParts {
  readonly read: (sql: string) => readonly Effect[];
  /** Tables whose raw writes concern no report. */
  readonly ownTables: ReadonlySet<string>;
}

/** Look-ups of rows that are about to go, collected over all events of one statement. */
interface Farewell {
  readonly bag: TagBag;
  readonly done: Promise<void>;
}

export class CacheSubscriber implements SubscriberLike {
  readonly #ledger: Ledger;
  readonly #farewells = new WeakMap<QueryRunnerLike, Farewell>();
  /** What the host's object held before the ORM filled in nulls (§9.3). */
  readonly #given = new WeakMap<object, Given>();

  constructor(private readonly parts: SubscriberParts) {
    this.#ledger = new Ledger(parts);
  }

  /** A failure inside the plugin costs everything cached, never the host's write. */
  #guard(event: EventLike, entity: string, task: () => Answer): Answer {
    const failed = (error: unknown): Answer => {
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

  // Inserts

  beforeInsert(event: InsertEventLike): void {
    void this.#guard(event, event.metadata.name, () => this.#announce(event, 'insert'));
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
        const versions = overlay(metadata, new Map(), this.#insertedRow(metadata, entity, before), this.#driverType);
        for (const { row } of versions) withId(metadata, row as Map<string, unknown>, id, this.#driverType);
        this.#apply({ metadata, kind: 'insert', id, versions }, bag);
      }
      return this.#ledger.record(queryRunner, bag);
    });
  }

  /** Nulls that the ORM filled in count only where nothing but null can be in the row. */
  #insertedRow(metadata: EntityMetadataLike, entity: unknown, before: Given | undefined): Given {
    const after = givenRow(metadata, entity);
    for (const column of metadata.columns) {
      const values = after.get(column.databaseName);
      if (!values?.includes(null) || before?.has(column.databaseName)) continue;
      if (
        column.default !== undefined ||
        column.isGenerated ||
        column.asExpression !== undefined ||
        column.relationMetadata
      )
        after.delete(column.databaseName);
    }
    return after;
  }

  // Updates

  beforeUpdate(event: UpdateEventLike): void {
    void this.#guard(event, event.metadata.name, () => this.#announce(event, 'update'));
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
      } else this.#applyUpdate(event, entity, id, before, bag);
      return this.#ledger.record(queryRunner, bag);
    });
  }

  #applyUpdate(event: UpdateEventLike, entity: object, id: RowId, before: Given | undefined, bag: TagBag): void {
    const { metadata, databaseEntity } = event;
    const changed = new Set<ColumnLike>(event.updatedColumns);
    for (const relation of event.updatedRelations) for (const column of relation.joinColumns) changed.add(column);
    const names = new Set([...changed].map((column) => column.databaseName));
    const after = givenRow(metadata, entity);
    const given = new Map(before);
    const old = storedRow(metadata, databaseEntity);
    withId(metadata, old, id, this.#driverType);
    const base = new Map(old);
    for (const column of metadata.columns) {
      const name = column.databaseName;
      const values = after.get(name);
      if (names.has(name)) {
        if (values) given.set(name, values);
        else base.delete(name);
      } else if (column.relationMetadata?.inverseRelation) {
        // Saved as a child of another parent, a row changes its foreign key and no list of changes says so (§6).
        const said = column.isVirtual ? [] : (values ?? []).filter((value) => value !== null);
        if (said.length > 0) given.set(name, [...new Set([...(given.get(name) ?? []), ...said])]);
        if (!column.isVirtual) continue;
        given.delete(name);
        base.delete(name);
      }
    }
    const versions = overlay(metadata, base, given, this.#driverType);
    for (const column of metadata.columns) {
      const name = column.databaseName;
      // Not loaded and not changed: the look-up after the commit still finds it. Changed: nobody knows it any more.
      if (!old.has(name) && (names.has(name) || given.has(name))) old.set(name, LOST);
    }
    const fresh = versions.filter(
      ({ row }) => [...row].some(([name, value]) => old.get(name) !== value) || row.size < old.size,
    );
    this.#apply({ metadata, kind: 'update', id, versions: [{ row: old, version: 'old' }, ...fresh] }, bag);
    if (this.parts.schema.changesReferenced(metadata, names)) this.parts.schema.addReach(metadata, 'update', bag);
  }

  // Removals, soft removals, recoveries

  beforeRemove(event: RemoveEventLike): Answer {
    const { metadata, queryRunner } = event;
    return this.#guard(event, metadata.name, () => {
      this.#announce(event, 'delete');
      const id = idOf(metadata, event.entityId) ?? idOf(metadata, event.databaseEntity);
      // Without an id it is a removal by criteria: coarse, in the after-event.
      if (id === undefined) return;
      const { bag, done } = this.#farewell(queryRunner);
      this.parts.schema.addTableTags(metadata, bag);
      if (metadata.isJunction) this.#applyToSides(metadata, event.entityId, 'unlink', bag);
      else {
        const row = storedRow(metadata, event.databaseEntity);
        withId(metadata, row, id, this.#driverType);
        this.#apply({ metadata, kind: 'remove', id, versions: [{ row, version: 'old' }] }, bag);
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

  /** One look-up for all rows that go in this statement: their events arrive in one turn. */
  #farewell(runner: QueryRunnerLike): Farewell {
    const open = this.#farewells.get(runner);
    if (open) return open;
    const bag = new TagBag();
    const done = Promise.resolve().then(async () => {
      this.#farewells.delete(runner);
      await this.#lookUpInside(runner, bag);
      this.#ledger.foresee(runner, bag);
    });
    const farewell = { bag, done };
    this.#farewells.set(runner, farewell);
    return farewell;
  }

  /** Looks up what is about to vanish. In PostgreSQL a failed SELECT would poison the host's transaction. */
  async #lookUpInside(runner: QueryRunnerLike, bag: TagBag): Promise<void> {
    if (!bag.asks) return;
    const guarded = this.#ledger.inTransaction(runner) && isPostgresLike(this.#driverType);
    let failed = false;
    try {
      if (guarded) await runner.query('SAVEPOINT report_cache_look_up');
      const emit: SubscriberParts['emit'] = (event) => {
        failed ||= event.kind === 'cascadeFailed';
        this.parts.emit(event);
      };
      await lookUp(runner, bag, { ...this.parts, emit });
      if (!guarded) return;
      if (failed) await runner.query('ROLLBACK TO SAVEPOINT report_cache_look_up');
      await runner.query('RELEASE SAVEPOINT report_cache_look_up');
    } catch (error) {
      this.parts.emit({ kind: 'cascadeFailed', entity: 'look-up', error: errorText(error) });
      settleCoarsely(bag);
    }
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

  beforeSoftRemove(event: RemoveEventLike): void {
    void this.#guard(event, event.metadata.name, () => this.#announce(event, 'update'));
  }

  afterSoftRemove(event: RemoveEventLike): Answer {
    return this.#afterMarked(event, 'softRemove');
  }

  beforeRecover(event: RemoveEventLike): void {
    void this.#guard(event, event.metadata.name, () => this.#announce(event, 'update'));
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
        const row = storedRow(metadata, event.databaseEntity);
        withId(metadata, row, id, this.#driverType);
        this.#apply({ metadata, kind, id, versions: [{ row, version: 'old' }] }, bag);
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
      this.#apply({ metadata: side.metadata, kind: kind as ChangeKind, id, versions: [{ row: known, version }] }, bag);
    }
  }

  #addCoarse(metadata: EntityMetadataLike, verb: Verb, bag: TagBag, columns?: ReadonlySet<string>): void {
    const { schema } = this.parts;
    const reaches = verb !== 'update' || schema.changesReferenced(metadata, columns);
    // An insert that met a conflict is an update.
    schema.addCoarse(Schema.key(metadata), verb === 'insert' || !reaches ? 'insert' : verb, bag);
  }

  // Statements

  beforeQuery(event: QueryEventLike): void {
    if (!/^\s*(?:start|begin|commit|end)\b/i.test(event.query)) return;
    void this.#guard(event, 'transaction', () => {
      for (const effect of this.parts.read(event.query)) {
        if (effect.kind === 'begin') this.#ledger.beforeBegin(event.queryRunner);
        if (effect.kind === 'commit') this.#ledger.beforeRawCommit(event.queryRunner);
      }
    });
  }

  afterQuery(event: AfterQueryEventLike): Answer {
    return this.#guard(event, 'query', () => {
      const effects = this.parts.read(event.query);
      if (effects.length === 0) return;
      if (!event.success) return this.#afterFailure(event.queryRunner, effects);
      if (effects.length === 1) return this.#account(event, effects[0] as Effect);
      return Promise.all(effects.map(async (effect) => this.#executed(event, effect))).then(() => undefined);
    });
  }

  #account(event: AfterQueryEventLike, effect: Effect): Answer {
    const runner = event.queryRunner;
    if (effect.kind !== 'write' || effect.verb === 'truncate') return this.#executed(event, effect);
    const table = effect.table.toLowerCase();
    // Ids given back for several rows are right only where RETURNING exists for each of them.
    const doubtful = effect.conflict === true || ((effect.rows ?? 1) > 1 && !isPostgresLike(this.#driverType));
    if (!this.#ledger.accounting(runner).write(effect.verb, table, effect.rows, doubtful))
      return this.#executed(event, effect);
    if (!this.#ledger.inTransaction(runner)) this.#ledger.expectConfirmation(runner);
  }

  #afterFailure(runner: QueryRunnerLike, effects: readonly Effect[]): Answer {
    const [effect] = effects;
    if (effects.length === 1 && effect?.kind === 'write' && effect.verb !== 'truncate')
      this.#ledger.accounting(runner).failed(effect.verb, effect.table.toLowerCase());
    // Earlier statements of the same call are durable already, and its after-events will not come.
    return this.#ledger.settle(runner);
  }

  #executed(event: AfterQueryEventLike, effect: Effect): Answer {
    const runner = event.queryRunner;
    switch (effect.kind) {
      case 'begin':
        this.#ledger.afterBegin(runner);
        if (keepsSnapshot(effect.isolation)) this.#ledger.keepsSnapshot(runner);
        return;
      case 'isolation':
        if (keepsSnapshot(effect.isolation)) this.#ledger.keepsSnapshot(runner);
        return;
      case 'commit': {
        const tag: unknown = isObject(event.rawResults) ? Reflect.get(event.rawResults, 'command') : undefined;
        return this.#ledger.commitExecuted(runner, tag === 'ROLLBACK', effect.chain);
      }
      case 'rollback':
        this.#ledger.rollbackExecuted(runner, effect.chain);
        return;
      case 'unknown':
      case 'write':
        return this.#raw(runner, effect);
    }
  }

  #raw(runner: QueryRunnerLike, effect: Effect & { kind: 'unknown' | 'write' }): Answer {
    const bag = new TagBag();
    const { schema, emit } = this.parts;
    if (effect.kind === 'unknown') {
      bag.addEverything();
      emit({ kind: 'rawWrite', tables: [] });
      emit({ kind: 'advice', code: 'raw-sql', message: adviceFor(effect.why) });
    } else {
      const entities = schema.entitiesOf(effect.table);
      const names = entities.length > 0 ? [...new Set(entities.map((one) => one.tableName))] : [effect.table];
      if (entities.length === 0 && this.parts.ownTables.has(effect.table)) return;
      emit({ kind: 'rawWrite', tables: names });
      if (entities.some((one) => one.tableType === 'view')) bag.addEverything();
      else if (entities.length === 0) bag.add(tableTag(effect.table));
      else {
        schema.addCoarse(effect.table, effect.verb, bag, effect.cascade);
        if (effect.conflict)
          for (const verb of ['update', 'delete'] as const) schema.addCoarse(effect.table, verb, bag);
      }
    }
    return this.#ledger.record(runner, bag, 'raw');
  }

  // Transactions

  beforeTransactionStart(event: EventLike): Answer {
    return this.#guard(event, 'transaction', () => this.#ledger.beforeStart(event.queryRunner));
  }

  afterTransactionStart(event: EventLike): void {
    void this.#guard(event, 'transaction', () => this.#ledger.afterStart(event.queryRunner));
  }

  beforeTransactionCommit(event: EventLike): void {
    void this.#guard(event, 'transaction', () => this.#ledger.beforeCommit(event.queryRunner));
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

function keepsSnapshot(isolation: string | undefined): boolean {
  return isolation !== undefined && /repeatable read|serializable|snapshot/.test(isolation);
}

function adviceFor(why: string): string {
  return (
    `"${why}" in raw SQL could change any table, so everything was invalidated. ` +
    'If it is a function that only reads, name it under readOnlyFunctions.'
  );
}
