// One database with the outbox in it, and as many processes as a test wants, each with its own caches and connections.
import 'reflect-metadata';
import { once } from 'node:events';
import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { Column, DataSource, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import type { CacheEvent } from '../../../../src/contract/events.js';
import { createReportCache, tag, type ReportCache, type ReportCacheOptions } from '../../../../src/index.js';
import type { ConnectOptions } from '../../../../src/options/options.js';
import { outboxMigrations } from '../../../../src/outbox/migrations.js';
import { eventually } from '../../../support/eventually.js';
import { ownNamespace, redisUrl } from '../../../support/isolation.js';
import { newDatabase } from '../../support/school.js';
import { GatedRedis } from './gated-redis.js';

// Outages are lived through with all their time limits, on machines that may be busy.
jest.setTimeout(30_000);

@Entity('student')
export class Student {
  @PrimaryColumn('int') id!: number;
  @Column('int') tutorId!: number;
}

@Entity('grade')
export class Grade {
  @PrimaryColumn('int') id!: number;
  @Column('int') studentId!: number;
  @Column('int') score!: number;
  @ManyToOne(() => Student)
  @JoinColumn({ name: 'studentId' })
  student?: Relation<Student>;
}

export interface Node {
  readonly reports: ReportCache;
  readonly db: DataSource;
  readonly redis: GatedRedis;
  readonly events: CacheEvent[];
  eventsOf<K extends CacheEvent['kind']>(kind: K): Extract<CacheEvent, { kind: K }>[];
  /** The scores of a student as a report shows them, and whether that came from the cache. */
  read(student?: number): Promise<{ readonly scores: readonly number[]; readonly hit: boolean }>;
  /** Runs between a report's query and its end. */
  pause: () => Promise<void>;
  close(): Promise<void>;
}

export interface NodeOptions {
  readonly cache?: Partial<ReportCacheOptions>;
  /** False: no connect() yet. */
  readonly connect?: ConnectOptions | false;
  readonly source?: Partial<DataSourceOptions>;
  readonly redis?: string;
}

export class Lab {
  readonly #nodes: Node[] = [];
  /** New for every test. */
  namespace = ownNamespace();

  private constructor(
    readonly options: DataSourceOptions,
    /** Stands outside: sees what is committed. */
    readonly outside: DataSource,
    private readonly drop: () => Promise<void>,
  ) {}

  static async open(name: string, { tables = true } = {}): Promise<Lab> {
    const { url, drop } = await newDatabase(name);
    return Lab.over({ type: 'postgres', url }, drop, tables);
  }

  static async over(options: DataSourceOptions, drop: () => Promise<void>, tables = true): Promise<Lab> {
    const own = { ...options, entities: [Student, Grade] } as DataSourceOptions;
    const migrations = tables ? [...outboxMigrations] : [];
    const outside = await new DataSource({ ...own, migrations, synchronize: true } as DataSourceOptions).initialize();
    await outside.runMigrations();
    return new Lab(own, outside, drop);
  }

  /** Call before each test: two students of one tutor with a grade each, and an empty outbox. */
  async reset(): Promise<void> {
    this.namespace = ownNamespace();
    const { manager } = this.outside;
    await manager.query('DELETE FROM grade');
    await manager.query('DELETE FROM student');
    await manager.insert(Student, [1, 2].map((id) => ({ id, tutorId: 1 }))); // prettier-ignore
    await manager.insert(Grade, [1, 2].map((id) => ({ id, studentId: id, score: id * 10 }))); // prettier-ignore
  }

  /** Rows of the outbox as another connection sees them. */
  async rows(): Promise<{ readonly tags: string; readonly intent: boolean }[]> {
    const rows = (await this.outside.query(
      `SELECT tags, intent FROM report_cache_outbox WHERE namespace = '${this.namespace}' ORDER BY id`,
    )) as { tags: string; intent: unknown }[];
    return rows.map(({ tags, intent }) => ({ tags: tags.split(' ').sort().join(' '), intent: Boolean(intent) }));
  }

  async score(id = 1): Promise<number> {
    return (await this.outside.manager.findOneByOrFail(Grade, { id })).score;
  }

  async node({ cache = {}, connect = {}, source = {}, redis = redisUrl() }: NodeOptions = {}): Promise<Node> {
    const db = await new DataSource({ ...this.options, ...source } as DataSourceOptions).initialize();
    const client = new Redis(redis, { maxRetriesPerRequest: 1, retryStrategy: () => 20 });
    client.on('error', () => undefined);
    if (client.status !== 'ready') await once(client, 'ready');
    const gated = new GatedRedis(client);
    const events: CacheEvent[] = [];
    const reports = createReportCache({
      redis: gated,
      namespace: this.namespace,
      identify: () => ({ user: 'u' }),
      // A busy machine must not make a hit of these tests a bypass, nor a watermark die.
      redisDeadline: '10s',
      lambda: '12s',
      lease: '100ms',
      onEvent: (event) => events.push(event),
      ...cache,
    });
    reports.cascade(Grade, { student: 'studentId', tutor: 'student.tutorId' });
    const node: Node = {
      reports,
      db,
      redis: gated,
      events,
      eventsOf: <K extends CacheEvent['kind']>(kind: K) =>
        events.filter((event): event is Extract<CacheEvent, { kind: K }> => event.kind === kind),
      pause: async () => undefined,
      async read(student = 1) {
        let hit = true;
        const tags = [tag('student', String(student))];
        const scores = await reports.getOrLoad(
          { type: 'student_progress', report: `s${student}`, share: 'everyone', tags },
          async () => {
            hit = false;
            const found = await db.manager.find(Grade, { where: { studentId: student }, order: { id: 'ASC' } });
            await node.pause();
            return found.map(({ score }) => score);
          },
        );
        return { scores, hit };
      },
      async close() {
        const at = this.closed;
        if (at) return;
        this.closed = true;
        gated.open();
        await reports.close();
        if (db.isInitialized) await db.destroy();
        const ended = client.status === 'end' ? undefined : once(client, 'end');
        client.disconnect();
        await ended;
      },
      closed: false,
    } as Node & { closed: boolean };
    if (connect !== false) await reports.connect(db, connect);
    this.#nodes.push(node);
    return node;
  }

  /** Call after each test. */
  async closeNodes(): Promise<void> {
    for (const node of this.#nodes.splice(0)) await node.close();
  }

  async close(): Promise<void> {
    await this.closeNodes();
    await this.outside.destroy();
    await this.drop();
  }
}

/** Warm: what a second reader is given comes from the cache. */
export async function warm(...nodes: Node[]): Promise<void> {
  for (const node of nodes) await eventually('a hit', async () => (await node.read()).hit);
}
