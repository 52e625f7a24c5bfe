// A small school for system tests: one database, one Redis, and as many processes' worth of application as a test wants.
import 'reflect-metadata';
import { once } from 'node:events';
import express, { type Express, type Request } from 'express';
import { Redis } from 'ioredis';
import { Column, DataSource, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import type { CacheEvent } from '../../src/contract/events.js';
import { createReportCache, tag, type ReportCache, type ReportCacheOptions } from '../../src/index.js';
import type { SqlMigration } from '../../src/sql/migration.js';
import { databaseUrl, ownNamespace, ownSchema, redisUrl } from '../support/isolation.js';

@Entity('tutor')
export class Tutor {
  @PrimaryColumn('int') id!: number;
  @Column('text') name!: string;
}

@Entity('student')
export class Student {
  @PrimaryColumn('int') id!: number;
  @Column('int') tutorId!: number;
  @ManyToOne(() => Tutor)
  @JoinColumn({ name: 'tutorId' })
  tutor?: Relation<Tutor>;
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

/** Of the host's own Redis client. */
export interface ClientOptions {
  readonly maxRetriesPerRequest?: number;
  readonly retryStrategy?: () => number;
}

export interface Process {
  readonly app: Express;
  readonly reports: ReportCache;
  readonly dataSource: DataSource;
  readonly redis: Redis | undefined;
  readonly events: CacheEvent[];
  /** How often a report was computed. */
  readonly computed: () => number;
  /** Called between the report's query and its answer. */
  pause: () => Promise<void>;
  /** Ends it, before the school closes. */
  end(): Promise<void>;
}

export class School {
  readonly namespace = ownNamespace();
  readonly schema = ownSchema();
  #migrations: readonly (new () => SqlMigration)[] = [];
  readonly #closing: (() => Promise<unknown>)[] = [];

  /** @param migrations of the library, run before anything else. */
  static async open(migrations: readonly (new () => SqlMigration)[] = []): Promise<School> {
    const school = new School();
    school.#migrations = migrations;
    const first = await school.#connect(true);
    await first.query(`INSERT INTO "${school.schema}"."tutor" VALUES (1, 'T1'), (2, 'T2')`);
    await first.query(`INSERT INTO "${school.schema}"."student" VALUES (1, 1), (2, 1), (3, 2)`);
    await first.query(`INSERT INTO "${school.schema}"."grade" VALUES (1, 1, 50), (2, 2, 60), (3, 3, 70)`);
    return school;
  }

  async #connect(create: boolean, max = 10): Promise<DataSource> {
    const { schema } = this;
    const options = {
      type: 'postgres' as const,
      url: databaseUrl(),
      schema,
      entities: [Tutor, Student, Grade],
      extra: { max },
    };
    if (create) {
      const root = await new DataSource({ type: 'postgres', url: databaseUrl() }).initialize();
      await root.query(`CREATE SCHEMA "${schema}"`);
      await root.destroy();
    }
    const migrations = [...this.#migrations];
    const dataSource = await new DataSource({ ...options, migrations, synchronize: create }).initialize();
    if (create && migrations.length > 0) await dataSource.runMigrations();
    this.#closing.push(() => dataSource.destroy());
    return dataSource;
  }

  /** One more process: its own connections, its own memory. */
  async process(
    options: Partial<ReportCacheOptions> & {
      readonly shared?: string | false;
      readonly client?: ClientOptions;
      readonly pool?: number;
    } = {},
  ): Promise<Process> {
    const { shared = redisUrl(), client = { maxRetriesPerRequest: 1 }, pool, ...rest } = options;
    const dataSource = await this.#connect(false, pool);
    const redis = shared === false ? undefined : new Redis(shared, client);
    redis?.on('error', () => undefined);
    if (redis) await redis.ping();
    const events: CacheEvent[] = [];
    const reports = createReportCache({
      ...(redis && { redis }),
      namespace: this.namespace,
      // A busy machine must not make a hit of these tests a bypass or a miss.
      redisDeadline: '5s',
      databaseDeadline: '5s',
      identify: (req: Request) => ({ user: req.get('x-user') ?? '' }),
      onEvent: (event) => events.push(event),
      ...rest,
    });
    await reports.connect(dataSource);
    reports.cascade(Grade, { student: 'studentId', tutor: 'student.tutorId' });
    reports.cascade(Student, { student: 'id', tutor: 'tutorId' });
    let computed = 0;
    let ended: Promise<void> | undefined;
    const close = async () => {
      await reports.close();
      if (redis === undefined || redis.status === 'end') return;
      const gone = redis.status === 'ready' ? once(redis, 'end') : undefined;
      redis.disconnect();
      await gone;
    };
    const process: Process = {
      app: express(),
      reports,
      dataSource,
      redis,
      events,
      computed: () => computed,
      pause: async () => undefined,
      async end() {
        ended ??= close();
        await ended;
      },
    };
    const scores = (where: string, id: unknown) =>
      dataSource.query(
        `SELECT g.id, g.score FROM "${this.schema}"."grade" g JOIN "${this.schema}"."student" s ON s.id = g."studentId" WHERE ${where} = $1 ORDER BY g.id`,
        [id],
      ) as Promise<{ id: number; score: number }[]>;
    const report = (kind: 'student' | 'tutor', where: string) => {
      process.app.get(
        `/${kind}s/:id`,
        reports.cache('student_progress', {
          report: (req) => `${kind}-${String(req.params['id'])}`,
          tags: (req) => [tag(kind, String(req.params['id']))],
        }),
        (req, res, next) => {
          computed += 1;
          scores(where, req.params['id'])
            .then(async (rows) => {
              await process.pause();
              res.json(rows);
            })
            .catch(next);
        },
      );
    };
    report('student', 's.id');
    report('tutor', 's."tutorId"');
    this.#closing.push(() => process.end());
    return process;
  }

  async close(): Promise<void> {
    const [first, ...others] = this.#closing;
    for (const close of others.reverse()) await close();
    await first?.();
    const root = await new DataSource({ type: 'postgres', url: databaseUrl() }).initialize();
    await root.query(`DROP SCHEMA IF EXISTS "${this.schema}" CASCADE`);
    await root.destroy();
  }
}
