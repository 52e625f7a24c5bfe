// The TypeORM DataSource of the platform: PostgreSQL, one schema of its own.
import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { costMigrations, outboxMigrations, persistMigrations, versionMigrations } from './cache.js';
import { ENTITIES } from './entities/index.js';

export function createDataSource(url: string, schema: string): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    schema,
    entities: ENTITIES,
    synchronize: false,
    // The cache keeps what it has to invalidate in the database, until Redis has it; costly results; and what they cost.
    migrations: [...outboxMigrations, ...persistMigrations, ...costMigrations, ...versionMigrations],
    // The reports are plain SQL with unqualified table names; without the search path they would read another schema.
    extra: { max: 10, options: `-c search_path=${schema} -c TimeZone=UTC` },
  });
}
