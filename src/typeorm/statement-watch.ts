// Watches the statements themselves: transaction control, and writes that no entity event tells of.
import { tableTag } from '../entry/tags.js';
import type { EventSink } from '../contract/events.js';
import type { Ledger } from './ledger.js';
import type { ReplicaReads } from './replica-reads.js';
import { isObject } from './rows.js';
import type { Schema } from './schema.js';
import type { Effect } from './statement.js';
import { TagBag } from './tag-bag.js';
import {
  isPostgresLike,
  OWN,
  type AfterQueryEventLike,
  type DriverLike,
  type QueryEventLike,
  type QueryRunnerLike,
} from './typeorm-like.js';

type Answer = Promise<void> | void;

export interface StatementParts {
  readonly read: (sql: string) => readonly Effect[];
  readonly schema: Schema;
  readonly driver: DriverLike;
  readonly emit: EventSink;
  /** Tables whose raw writes concern no report. */
  readonly ownTables: ReadonlySet<string>;
  /** Undefined where the host has none: TypeORM says `slave` even then. */
  readonly replicas: ReplicaReads | undefined;
}

export class StatementWatch {
  constructor(
    private readonly ledger: Ledger,
    private readonly parts: StatementParts,
  ) {}

  before(event: QueryEventLike): Answer {
    const { query, queryRunner } = event;
    if (query.startsWith(OWN)) return;
    if (queryRunner.mode === 'slave' && this.parts.replicas) return this.parts.replicas.beforeRead(queryRunner);
    if (!this.ledger.prepares && !/^\s*(?:start|begin|commit|end)\b/i.test(query)) return;
    const effects = this.parts.read(query);
    for (const effect of effects) {
      if (effect.kind === 'begin') this.ledger.beforeBegin(queryRunner);
      if (effect.kind === 'commit') this.ledger.beforeRawCommit(queryRunner);
    }
    if (this.ledger.prepares) return this.#prepare(event, effects);
  }

  /** What must be in place before a write becomes durable. */
  #prepare({ query, queryRunner }: QueryEventLike, effects: readonly Effect[]): Answer {
    const commits = effects.some(({ kind }) => kind === 'commit');
    const inTransaction = this.ledger.inTransaction(queryRunner);
    if (inTransaction && !commits) return;
    const bag = new TagBag();
    for (const effect of effects) if (effect.kind === 'write' || effect.kind === 'unknown') this.#foresee(effect, bag);
    if (commits && (inTransaction || bag.empty)) return this.ledger.prepareCommit(queryRunner, bag);
    // A transaction that it opens and leaves open prepares its own COMMIT.
    const leavesOpen = !commits && effects.some(({ kind }) => kind === 'begin');
    if (!bag.empty && !leavesOpen) return this.ledger.prepareStatement(queryRunner, query, bag);
  }

  after(event: AfterQueryEventLike): Answer {
    if (event.query.startsWith(OWN)) return;
    const effects = this.parts.read(event.query);
    if (effects.length === 0) return;
    const { query, queryRunner, success, error } = event;
    const outcome = success ? 'executed' : wasRefused(error, this.parts.driver) ? 'refused' : 'unknown';
    this.ledger.statementDone(queryRunner, query, outcome);
    if (!success) return this.#failed(event, effects);
    if (effects.length === 1) return this.#account(event, effects[0] as Effect);
    return this.#inOrder(event, effects);
  }

  async #inOrder(event: AfterQueryEventLike, effects: readonly Effect[]): Promise<void> {
    for (const effect of effects) await this.#executed(event, effect);
  }

  #account(event: AfterQueryEventLike, effect: Effect): Answer {
    const runner = event.queryRunner;
    if (effect.kind !== 'write' || effect.verb === 'truncate') return this.#executed(event, effect);
    const table = effect.table.toLowerCase();
    // Ids given back for several rows are right only where RETURNING exists for each of them.
    const doubtful =
      effect.conflict === true || ((effect.rows ?? 1) > 1 && !isPostgresLike(this.parts.driver.options.type));
    if (!this.ledger.accounting(runner).write(effect.verb, table, effect.rows, doubtful))
      return this.#executed(event, effect);
    if (!this.ledger.inTransaction(runner)) this.ledger.expectConfirmation(runner);
  }

  #failed(event: AfterQueryEventLike, effects: readonly Effect[]): Answer {
    const runner = event.queryRunner;
    const [effect] = effects;
    if (effects.length === 1 && effect?.kind === 'commit' && wasRefused(event.error, this.parts.driver))
      return this.ledger.commitRefused(runner);
    if (effects.length === 1 && effect?.kind === 'write' && effect.verb !== 'truncate')
      this.ledger.accounting(runner).failed(effect.verb, effect.table.toLowerCase());
    const bag = new TagBag();
    for (const one of effects) {
      const doubtful = one.kind === 'write' ? !wasRefused(event.error, this.parts.driver) : one.kind === 'unknown';
      if (doubtful && (one.kind === 'write' || one.kind === 'unknown')) this.#addRaw(one, bag);
    }
    if (!bag.empty) return this.ledger.recordTwice(runner, bag);
    // Earlier statements of the same call are durable already, and its after-events will not come.
    return this.ledger.settle(runner);
  }

  #executed(event: AfterQueryEventLike, effect: Effect): Answer {
    const runner = event.queryRunner;
    switch (effect.kind) {
      case 'begin':
        this.ledger.afterBegin(runner);
        if (keepsSnapshot(effect.isolation)) this.ledger.keepsSnapshot(runner);
        return;
      case 'isolation':
        if (keepsSnapshot(effect.isolation)) this.ledger.keepsSnapshot(runner);
        return;
      case 'commit': {
        const tag: unknown = isObject(event.rawResults) ? Reflect.get(event.rawResults, 'command') : undefined;
        return this.ledger.commitExecuted(runner, tag === 'ROLLBACK', effect.chain);
      }
      case 'rollback':
        this.ledger.rollbackExecuted(runner, effect.chain);
        return;
      case 'unknown':
      case 'write':
        return this.#raw(runner, effect);
    }
  }

  #raw(runner: QueryRunnerLike, effect: Effect & { kind: 'unknown' | 'write' }): Answer {
    const bag = new TagBag();
    this.#addRaw(effect, bag);
    return bag.empty ? undefined : this.ledger.record(runner, bag, 'raw');
  }

  #addRaw(effect: Effect & { kind: 'unknown' | 'write' }, bag: TagBag): void {
    if (!this.#foresee(effect, bag)) return;
    const { schema, emit } = this.parts;
    if (effect.kind === 'unknown') {
      emit({ kind: 'rawWrite', tables: [] });
      emit({ kind: 'advice', code: 'raw-sql', message: adviceFor(effect.why) });
    } else emit({ kind: 'rawWrite', tables: [schema.entitiesOf(effect.table)[0]?.tableName ?? effect.table] });
  }

  /** Adds all that the statement can concern, rows unknown. @returns false for a table that no report reads. */
  #foresee(effect: Effect & { kind: 'unknown' | 'write' }, bag: TagBag): boolean {
    const { schema, ownTables } = this.parts;
    if (effect.kind === 'unknown') {
      bag.addEverything();
      return true;
    }
    const { table, verb, cascade, conflict } = effect;
    const known = schema.entitiesOf(table).length > 0;
    if (!known && ownTables.has(table)) return false;
    if (!known) bag.add(tableTag(table));
    schema.addCoarse(table, verb, bag, cascade);
    if (conflict) for (const one of ['update', 'delete'] as const) schema.addCoarse(table, one, bag);
    return true;
  }
}

/**
 * SQLSTATEs with which a server ends the connection (PostgreSQL's FATAL): shutdown, lost client, time-outs of sessions.
 * They may come while a commit that has been carried out waits for its replicas.
 */
const ENDED = /^(?:08|57P|25P0[34])/;

/** The server itself said no. Any other error, such as a lost connection, leaves open whether it executed the statement. */
function wasRefused(error: unknown, driver: DriverLike): boolean {
  if (!isObject(error)) return false;
  if (/sqlite|sqljs/.test(driver.options.type)) return true;
  const state: unknown = 'severity' in error ? Reflect.get(error, 'code') : Reflect.get(error, 'sqlState');
  return typeof state === 'string' && !ENDED.test(state);
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
