// A database with a materialised view over grades, and as many processes with reports on it as a test wants.
import 'reflect-metadata';
import { once } from 'node:events';
import express, { type Express } from 'express';
import { Redis } from 'ioredis';
import { Column, DataSource, Entity, PrimaryColumn, type DataSourceOptions } from 'typeorm';
import type { CacheEvent } from '../../../src/contract/events.js';
import {
  createReportCache,
  outboxMigrations,
  viewMigrations,
  type ReportCache,
  type ReportCacheOptions,
  type View,
  type ViewOptions,
} from '../../../src/index.js';
import { eventually } from '../../support/eventually.js';
import { databaseUrl, ownNamespace, redisUrl } from '../../support/isolation.js';
import { query } from '../../support/postgres-service.mjs';

@Entity('grade')
export class Grade {
  @PrimaryColumn('int') id!: number;
  @Column('int') classId!: number;
  @Column('int') score!: number;
}

export const STATS = `SELECT "classId" AS class_id, avg(score)::int AS average FROM grade GROUP BY "classId"`;

export interface Process {
  readonly app: Express;
  readonly reports: ReportCache;
  readonly db: DataSource;
  readonly redis: Redis | undefined;
  readonly stats: View;
  readonly events: CacheEvent[];
  eventsOf<K extends CacheEvent['kind']>(kind: K): Extract<CacheEvent, { kind: K }>[];
  /** Runs between a report's query and its answer. */
  pause: () => Promise<void>;
  write(score: number, id?: number): Promise<unknown>;
  close(): Promise<void>;
}

export interface ProcessOptions {
  readonly cache?: Partial<ReportCacheOptions>;
  readonly view?: Partial<ViewOptions>;
  readonly durable?: boolean;
  /** False: memory only. */
  readonly shared?: boolean;
  readonly connect?: boolean;
  readonly poolSize?: number;
}

let databases = 0;

export class Lab {
  readonly #processes: Process[] = [];
  readonly #holding = new Set<() => Promise<void>>();
  namespace = ownNamespace();

  private constructor(
    readonly url: string,
    /** Stands outside: sees what is committed, and is not followed. */
    readonly outside: DataSource,
  ) {}

  static async open(): Promise<Lab> {
    const name = `erc_views_${process.pid}_${++databases}`;
    await query(databaseUrl(), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await query(databaseUrl(), `CREATE DATABASE ${name}`);
    const url = new URL(databaseUrl());
    url.pathname = `/${name}`;
    const outside = await new DataSource({
      type: 'postgres',
      url: url.href,
      entities: [Grade],
      migrations: [...outboxMigrations, ...viewMigrations],
      synchronize: true,
    }).initialize();
    await outside.runMigrations();
    return new Lab(url.href, outside);
  }

  /** Call before each test: one class with one grade of 10, in a new namespace. @param key a unique index on the view */
  async reset({ key = true, populated = true } = {}): Promise<void> {
    this.namespace = ownNamespace();
    // What a test that failed has left must not fail the others.
    for (const release of this.#holding) await release();
    await this.outside.query('DROP MATERIALIZED VIEW IF EXISTS class_stats CASCADE');
    await this.outside.query('DELETE FROM grade');
    await this.outside.query('INSERT INTO grade VALUES (1, 1, 10)');
    await this.outside.query(`CREATE MATERIALIZED VIEW class_stats AS ${STATS} WITH ${populated ? '' : 'NO '}DATA`);
    if (key) await this.outside.query('CREATE UNIQUE INDEX ON class_stats (class_id)');
  }

  /** Refreshes get as far as their last statement and wait there, having read, until it is released. */
  async holdRefreshes(): Promise<{ arrived(): Promise<void>; release(): Promise<void> }> {
    const runner = this.outside.createQueryRunner();
    await runner.startTransaction();
    await runner.query('LOCK TABLE report_cache_views IN SHARE MODE');
    const waiting = `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'report_cache_views'::regclass`;
    const release = async () => {
      this.#holding.delete(release);
      await runner.rollbackTransaction();
      await runner.release();
    };
    this.#holding.add(release);
    const arrived = () =>
      eventually('a refresh that has read', async () => (await this.outside.query(waiting)).length > 0);
    return { arrived, release };
  }

  async row(): Promise<{ as_of: Date; refreshes: string; told: boolean; seq: string } | undefined> {
    const rows = await this.outside.query('SELECT * FROM report_cache_views WHERE namespace = $1', [this.namespace]);
    return rows[0];
  }

  async average(): Promise<number | undefined> {
    const rows = await this.outside.query('SELECT average FROM class_stats WHERE class_id = 1');
    return rows[0]?.average;
  }

  async process({
    cache,
    view,
    durable = false,
    shared = true,
    connect = true,
    poolSize = 10,
  }: ProcessOptions = {}): Promise<Process> {
    const options: DataSourceOptions = { type: 'postgres', url: this.url, entities: [Grade], poolSize };
    const db = await new DataSource(options).initialize();
    const redis = shared ? new Redis(redisUrl(), { maxRetriesPerRequest: 1 }) : undefined;
    redis?.on('error', () => undefined);
    if (redis) await redis.ping();
    const events: CacheEvent[] = [];
    const reports = createReportCache({
      ...(redis && { redis }),
      namespace: this.namespace,
      identify: () => ({ user: 'u' }),
      redisDeadline: '5s',
      onEvent: (event) => events.push(event),
      ...cache,
    });
    const stats = reports.view('class_stats', { sources: [Grade], delay: '1ms', maxDelay: '1s', ...view });
    const one: Process = {
      app: express(),
      reports,
      db,
      redis,
      stats,
      events,
      eventsOf: <K extends CacheEvent['kind']>(kind: K) =>
        events.filter((event): event is Extract<CacheEvent, { kind: K }> => event.kind === kind),
      pause: async () => undefined,
      write: (score, id = 1) => db.manager.save(Grade, { id, classId: 1, score }),
      async close() {
        await reports.close();
        if (db.isInitialized) await db.destroy();
        if (redis === undefined || redis.status === 'end') return;
        const ended = once(redis, 'end');
        redis.disconnect();
        await ended;
      },
    };
    one.app.get('/stats', reports.cache('analytics', { views: ['class_stats'] }), (_req, res, next) => {
      db.query(`SELECT average FROM ${stats.relation} AS s WHERE class_id = 1`)
        .then(async (rows: { average: number }[]) => {
          await one.pause();
          res.json(rows);
        })
        .catch(next);
    });
    if (connect) await reports.connect(db, { durable });
    this.#processes.push(one);
    return one;
  }

  async closeProcesses(): Promise<void> {
    for (const one of this.#processes.splice(0)) await one.close();
  }

  async close(): Promise<void> {
    await this.closeProcesses();
    await this.outside.destroy();
    await query(databaseUrl(), `DROP DATABASE ${new URL(this.url).pathname.slice(1)} WITH (FORCE)`);
  }
}
