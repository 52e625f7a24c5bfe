// Composition: the DataSource that keeps versioned results, and how often they were viewed.
import type { Clock } from './contract/clock.js';
import { ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { Tag } from './entry/tags.js';
import { obstacleTo, type Holding } from './obstacle.js';
import { BOUNDS } from './options/defaults.js';
import { askAs, type DataSourceLike, type QueryRunnerLike } from './typeorm/typeorm-like.js';
import { versionDialectOf } from './versions/migrations.js';
import { SqlVersions, type Transact } from './versions/sql-versions.js';
import { ViewCounts } from './versions/view-counts.js';

const VERSIONS: Holding = { what: 'versioned results', tables: 4, migrations: 'versionMigrations' };

export interface VersionKeepingParts {
  readonly namespace: string;
  /** Whether any versions are declared. */
  readonly expected: () => boolean;
  /** Notes tags with what a query runner has written. */
  readonly note: (runner: QueryRunnerLike, tags: readonly Tag[]) => Promise<void> | void;
  readonly clock: Clock;
  readonly emit: EventSink;
}

interface Keeper {
  readonly dataSource: object;
  readonly database: SqlVersions;
}

/** What TypeORM's EntityManager is needed for. */
interface ManagerLike {
  readonly queryRunner: QueryRunnerLike;
}

export class VersionKeeping {
  #keeper: Keeper | undefined;
  #obstacle = 'No DataSource is connected.';
  readonly views: ViewCounts;

  constructor(private readonly parts: VersionKeepingParts) {
    const { clock, emit } = parts;
    const flushMs = BOUNDS.viewFlushMs;
    this.views = new ViewCounts({ add: (count) => this.database.addViews(count), flushMs, clock, emit });
  }

  /** @throws ERC_VERSIONS while no connected DataSource has the tables. */
  get database(): SqlVersions {
    if (this.#keeper === undefined) throw new ReportCacheError('ERC_VERSIONS', this.#obstacle);
    return this.#keeper.database;
  }

  /** The first DataSource that has the tables keeps them. */
  async connect(dataSource: DataSourceLike): Promise<void> {
    if (this.#keeper !== undefined) return;
    const { type, schema } = dataSource.options;
    const dialect = versionDialectOf(type);
    const database =
      dialect &&
      new SqlVersions({
        dialect,
        ask: askAs(dataSource),
        transact: this.#transactIn(dataSource),
        namespace: this.parts.namespace,
        schema,
      });
    const obstacle = await obstacleTo(VERSIONS, type, database && (() => database.isInstalled()));
    if (this.#keeper !== undefined) return;
    if (database !== undefined && obstacle === undefined) {
      this.#keeper = { dataSource, database };
      return;
    }
    this.#obstacle = obstacle ?? '';
    if (this.parts.expected())
      this.parts.emit({ kind: 'advice', code: 'ERC_VERSIONS', message: `${this.#obstacle} Nothing can be generated.` });
  }

  async disconnect(dataSource: object): Promise<void> {
    if (this.#keeper?.dataSource !== dataSource) return;
    await this.views.flush();
    this.#keeper = undefined;
    this.#obstacle = 'The DataSource of the versions was disconnected.';
  }

  close(withinMs: number): Promise<void> {
    return this.views.close(withinMs);
  }

  #transactIn(dataSource: DataSourceLike): Transact {
    const { note } = this.parts;
    return async (task) => {
      const work = ({ queryRunner }: ManagerLike) =>
        // Outside of a transaction there is nothing to wait for, and here there always is one.
        task(askAs(queryRunner), (tags) => void note(queryRunner, tags as Tag[]));
      // What was read before the subject was held would be old; with one connection there is nobody else.
      const isolated = dataSource.options.type === 'sqljs' ? [work] : ['READ COMMITTED', work];
      return Reflect.apply(Reflect.get(dataSource, 'transaction') as () => never, dataSource, isolated);
    };
  }
}
