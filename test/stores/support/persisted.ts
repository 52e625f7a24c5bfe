// Stores in a real database, with tables, a namespace and a clock of their own.
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { Ask } from '../../../src/contract/outbox.js';
import { outboxMigrations } from '../../../src/outbox/migrations.js';
import { Lane } from '../../../src/sql/lane.js';
import { OwnConnection, type OwnRunner } from '../../../src/sql/own-connection.js';
import type { DatabaseLimits } from '../../../src/stores/database/database-budget.js';
import { DatabaseStore } from '../../../src/stores/database/database-store.js';
import { flavourOf, persistMigrations } from '../../../src/stores/database/migrations.js';
import type { StoreHarness } from '../../../src/testing/store-suite.js';
import { makeEntry } from '../../../src/testing/store-suite.js';
import { FakeClock } from '../../fakes/fake-clock.js';
import { databaseUrl, ownNamespace, ownSchema } from '../../support/isolation.js';
import { queryMysql } from '../../support/mysql-service.mjs';
import { query } from '../../support/postgres-service.mjs';

export const ROOMY: DatabaseLimits = {
  maxBytes: 1024 ** 3,
  maxBytesPerOwner: 1024 ** 3,
  maxBytesPerEntry: 12 * 1024 ** 2,
};

export type Kind = 'postgres' | 'mysql' | 'sqljs';

export interface StoreParts {
  readonly namespace?: string;
  readonly version?: string;
  readonly limits?: Partial<DatabaseLimits>;
  /** Runs before each statement of the store. */
  readonly before?: (sql: string) => Promise<void> | void;
}

export interface OpenOptions {
  /** Another PostgreSQL than the run's. */
  readonly url?: string;
  /** Of the application. */
  readonly entities?: Function[];
}

export class PersistedDatabase {
  readonly clock = new FakeClock();
  readonly #closing: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly kind: Kind,
    readonly source: DataSource,
    readonly schema: string | undefined,
    private readonly drop: () => Promise<void>,
  ) {}

  static async open(kind: Kind, { url = databaseUrl(), entities = [] }: OpenOptions = {}): Promise<PersistedDatabase> {
    const name = ownSchema();
    if (kind === 'postgres') {
      await query(url, `CREATE SCHEMA ${name}`);
      const options = { type: kind, url, schema: name, entities, migrationsTableName: 'applied' } as const;
      return PersistedDatabase.#over(kind, options, name, async () => {
        await query(url, `DROP SCHEMA ${name} CASCADE`);
      });
    }
    if (kind === 'sqljs')
      return PersistedDatabase.#over(kind, { type: kind, entities }, undefined, async () => undefined);
    const server = String(process.env['MYSQL_URL']);
    await queryMysql(server, `CREATE DATABASE ${name}`);
    const address = new URL(server);
    address.pathname = `/${name}`;
    return PersistedDatabase.#over(kind, { type: kind, url: address.href, entities }, undefined, async () => {
      await queryMysql(server, `DROP DATABASE ${name}`);
    });
  }

  static async #over(
    kind: Kind,
    options: DataSourceOptions,
    schema: string | undefined,
    drop: () => Promise<void>,
  ): Promise<PersistedDatabase> {
    const migrations = [...(kind === 'sqljs' ? [] : outboxMigrations), ...persistMigrations];
    const source = await new DataSource({
      ...options,
      migrations,
      synchronize: true,
    } as DataSourceOptions).initialize();
    await source.runMigrations();
    return new PersistedDatabase(kind, source, schema, drop);
  }

  table(name: 'entry' | 'tag' | 'position' | 'outbox'): string {
    return `${this.schema === undefined ? '' : `"${this.schema}".`}report_cache_${name}`;
  }

  /** A store of one process: its own connections. */
  store({ namespace = ownNamespace(), version = '1', limits = {}, before }: StoreParts = {}) {
    const flavour = flavourOf(this.source.options.type);
    if (flavour === undefined) throw new Error('no flavour');
    const shared = this.kind === 'sqljs';
    const connections: OwnConnection[] = [];
    const lane = () => {
      const runner = () => this.source.createQueryRunner('master');
      const gated =
        (ask: Ask): Ask =>
        async (sql, parameters) => {
          await before?.(sql);
          return ask(sql, parameters);
        };
      if (shared) return new Lane((task) => task(gated((sql, parameters) => this.source.query(sql, parameters))));
      const own = new OwnConnection({
        createRunner: () => runner() as OwnRunner,
        patienceMs: 10_000,
        clock: this.clock,
      });
      connections.push(own);
      return new Lane((task) => own.session((ask) => task(gated(ask))));
    };
    const writes = lane();
    const reads = shared ? writes : lane();
    const store = new DatabaseStore(
      {
        flavour,
        namespace,
        version,
        schema: this.schema,
        outbox: !shared,
        limits: { ...ROOMY, ...limits },
        reads,
        writes,
        ...(shared && { isInTransaction: () => this.source.createQueryRunner().isTransactionActive }),
      },
      this.clock,
    );
    const fill = async (key: string, overrides = {}) =>
      store.put(key, makeEntry(await store.position(), this.clock.now(), overrides));
    /** `hit`, or why not. */
    const look = async (key: string) => {
      const found = await store.lookup(key);
      return found.outcome === 'hit' ? 'hit' : found.reason;
    };
    const close = async () => {
      await store.close();
      for (const one of connections.splice(0)) await one.close();
    };
    this.#closing.push(close);
    return { namespace, store, fill, look, close };
  }

  /** For the conformance suite. */
  async harness(): Promise<StoreHarness> {
    const { store, close } = this.store();
    return { store, clock: this.clock, close };
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0)) await close();
    await this.source.destroy();
    await this.drop();
  }
}
