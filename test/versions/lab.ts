// Versioned results of a real database: tables of their own, and processes that share it, with Redis or without.
import { Redis } from 'ioredis';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { CacheEvent } from '../../src/contract/events.js';
import {
  costMigrations,
  createReportCache,
  outboxMigrations,
  versionMigrations,
  type ReportCacheOptions,
  type VersionsOptions,
} from '../../src/index.js';
import { databaseUrl, ownNamespace, ownSchema, redisUrl } from '../support/isolation.js';
import { gate } from '../support/gate.js';
import { queryMysql } from '../support/mysql-service.mjs';
import { query } from '../support/postgres-service.mjs';

export type Kind = 'postgres' | 'mysql' | 'sqljs';
export const KINDS: readonly Kind[] = process.env['MYSQL_URL'] ? ['postgres', 'mysql', 'sqljs'] : ['postgres', 'sqljs'];

export interface Lesson {
  readonly title: string;
  readonly steps: readonly string[];
}

export interface StartOptions {
  readonly redis?: boolean;
  readonly cache?: Partial<ReportCacheOptions>;
  readonly versions?: Partial<VersionsOptions<Lesson>>;
}

export class Lab {
  namespace = ownNamespace();
  readonly #running: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly kind: Kind,
    readonly source: DataSource,
    readonly schema: string | undefined,
    private readonly drop: () => Promise<unknown>,
  ) {}

  /** @param migrated whether the tables of the versions are there */
  static async open(kind: Kind, migrated = true): Promise<Lab> {
    const name = ownSchema();
    const [options, drop] = await place(kind, name);
    const migrations = [
      ...(kind === 'sqljs' ? [] : [...outboxMigrations, ...costMigrations]),
      ...(migrated ? versionMigrations : []),
    ];
    const all = { ...options, migrations, migrationsTableName: 'applied' };
    const source = await new DataSource(all as unknown as DataSourceOptions).initialize();
    await source.runMigrations();
    return new Lab(kind, source, kind === 'postgres' ? name : undefined, drop);
  }

  /** A process. Its generator counts what it has made, and makes what is asked of it. */
  async start({ redis: shared = false, cache = {}, versions = {} }: StartOptions = {}) {
    const events: CacheEvent[] = [];
    const redis = shared ? new Redis(redisUrl()) : undefined;
    if (redis) await redis.ping();
    const reports = createReportCache({
      ...(redis && { redis }),
      namespace: this.namespace,
      identify: () => null,
      redisDeadline: '10s',
      lambda: '20s',
      types: { lesson: {} },
      onEvent: (event) => void events.push(event),
      ...cache,
    });
    await reports.connect(this.source);
    const made: number[] = [];
    const lessons = reports.versions<Lesson>('lesson', {
      generate: (_subject, run) => {
        made.push(run.version);
        run.cost({ model: 'small', inputTokens: 900, outputTokens: 600 });
        return { title: `version ${run.version}`, steps: [run.reason ?? 'first'] };
      },
      ...versions,
    });
    let closed: Promise<void> | undefined;
    const close = () =>
      (closed ??= (async () => {
        await reports.close();
        redis?.disconnect();
      })());
    this.#running.push(close);
    const of = <K extends CacheEvent['kind']>(kind: K) =>
      events.filter((event): event is Extract<CacheEvent, { kind: K }> => event.kind === kind);
    return { reports, lessons, made, events, of, close };
  }

  /** Ends all processes; the next ones know nothing of what these have kept. */
  async end(): Promise<void> {
    for (const one of this.#running.splice(0).reverse()) await one();
    this.namespace = ownNamespace();
  }

  async close(): Promise<void> {
    await this.end();
    await this.source.destroy();
    await this.drop();
  }

  /** Resolves when so many statements like this have been answered from now on. */
  answers(statement: string, times: number): Promise<void> {
    const { source } = this;
    const original = source.query;
    return new Promise((resolve) => {
      let left = times;
      source.query = async (...args: Parameters<typeof original>) => {
        const answer: unknown = await original.apply(source, args);
        if (args[0].includes(statement) && (left -= 1) === 0) resolve();
        return answer as never;
      };
      this.#running.push(async () => void (source.query = original));
    });
  }

  /** Holds back the answer to the next statement like this. @returns what lets it through */
  holds(statement: string): { readonly arrived: Promise<void>; release(): void } {
    const { source } = this;
    const original = source.query;
    const [arrived, go] = [gate(), gate()];
    source.query = async (...args: Parameters<typeof original>) => {
      const answer: unknown = await original.apply(source, args);
      if (args[0].includes(statement)) {
        source.query = original;
        arrived.open();
        await go.opened;
      }
      return answer as never;
    };
    return { arrived: arrived.opened, release: () => go.open() };
  }

  /** A table's name in SQL. */
  table(name: string): string {
    return `${this.schema === undefined ? '' : `"${this.schema}".`}report_cache_${name}`;
  }

  async count(table: string): Promise<number> {
    const rows = await this.source.query(
      `SELECT count(*) AS n FROM ${this.table(table)} WHERE namespace = '${this.namespace}'`,
    );
    return Number((rows as readonly { n: unknown }[])[0]?.n);
  }
}

async function place(kind: Kind, name: string): Promise<[object, () => Promise<unknown>]> {
  if (kind === 'sqljs') return [{ type: kind }, async () => undefined];
  if (kind === 'postgres') {
    await query(databaseUrl(), `CREATE SCHEMA ${name}`);
    const options = { type: kind, url: databaseUrl(), schema: name };
    return [options, () => query(databaseUrl(), `DROP SCHEMA ${name} CASCADE`)];
  }
  const server = String(process.env['MYSQL_URL']);
  await queryMysql(server, `CREATE DATABASE ${name}`);
  const address = new URL(server);
  address.pathname = `/${name}`;
  return [{ type: kind, url: address.href }, () => queryMysql(server, `DROP DATABASE ${name}`)];
}
