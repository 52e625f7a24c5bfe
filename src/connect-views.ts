// Composition: a DataSource as the keeper of its materialised views.
import type { Clock } from './contract/clock.js';
import { cut, type OwnRunner } from './sql/own-connection.js';
import { isSameEntity } from './typeorm/schema.js';
import { askAs, type DataSourceLike } from './typeorm/typeorm-like.js';
import { PostgresViews } from './views/postgres-views.js';
import type { ViewHost } from './views/views.js';

/** Where it is known how to refresh a view; elsewhere it is read as it is. */
const WITH_VIEWS = 'postgres';

export function viewHostOf(dataSource: DataSourceLike, namespace: string, clock: Clock): ViewHost {
  const { type, schema } = dataSource.options;
  const open = () => {
    const runner = dataSource.createQueryRunner('master') as OwnRunner;
    let broken: Promise<void> | undefined;
    return {
      ask: askAs(runner),
      cut: () => void (broken ??= cut(runner)),
      async release() {
        await broken;
        await runner.release();
      },
    };
  };
  const quote = (name: string) => dataSource.driver.escape(name);
  return {
    database:
      type === WITH_VIEWS ? new PostgresViews({ ask: askAs(dataSource), open, namespace, schema, clock }) : undefined,
    connected: () => dataSource.isInitialized,
    tableOf: (entity) => {
      const held = dataSource.entityMetadatas.find((metadata) => isSameEntity(metadata, entity));
      return held?.tableName ?? (typeof entity === 'string' ? entity : undefined);
    },
    relationOf: (name, own = schema) => (own === undefined ? quote(name) : `${quote(own)}.${quote(name)}`),
  };
}
