// Checked by the compiler only: the structural types still fit both supported majors of TypeORM.
import type * as v1 from 'typeorm';
import type * as v03 from 'typeorm03';
import type {
  AfterQueryEventLike,
  ColumnLike,
  DataSourceLike,
  DriverLike,
  EntityMetadataLike,
  EventLike,
  ForeignKeyLike,
  InsertEventLike,
  QueryRunnerLike,
  RelationLike,
  RemoveEventLike,
  SubscriberLike,
  UpdateEventLike,
} from '../../src/typeorm/typeorm-like.js';
import type { EntityLike } from '../../src/typeorm/cascade-rule.js';

type Fits<Real extends Like, Like> = [Real, Like];

export type One = [
  Fits<v1.EntityMetadata['columns'][number], ColumnLike>,
  Fits<v1.EntityMetadata['relations'][number], RelationLike>,
  Fits<v1.EntityMetadata, EntityMetadataLike>,
  Fits<v1.EntityMetadata['foreignKeys'][number], ForeignKeyLike>,
  Fits<v1.DataSource['driver'], DriverLike>,
  Fits<v1.QueryRunner, QueryRunnerLike>,
  Fits<v1.DataSource, DataSourceLike>,
  Fits<v1.InsertEvent<object>, InsertEventLike>,
  Fits<v1.UpdateEvent<object>, UpdateEventLike>,
  Fits<v1.RemoveEvent<object>, RemoveEventLike>,
  Fits<v1.TransactionCommitEvent, EventLike>,
  Fits<Parameters<NonNullable<v1.EntitySubscriberInterface['afterQuery']>>[0], AfterQueryEventLike>,
  Fits<SubscriberLike, v1.EntitySubscriberInterface>,
  Fits<v1.EntitySchema, EntityLike<unknown>>,
];

export type Zero = [
  Fits<v03.EntityMetadata['columns'][number], ColumnLike>,
  Fits<v03.EntityMetadata['relations'][number], RelationLike>,
  Fits<v03.EntityMetadata, EntityMetadataLike>,
  Fits<v03.EntityMetadata['foreignKeys'][number], ForeignKeyLike>,
  Fits<v03.DataSource['driver'], DriverLike>,
  Fits<v03.QueryRunner, QueryRunnerLike>,
  Fits<v03.DataSource, DataSourceLike>,
  Fits<v03.InsertEvent<object>, InsertEventLike>,
  Fits<v03.UpdateEvent<object>, UpdateEventLike>,
  Fits<v03.RemoveEvent<object>, RemoveEventLike>,
  Fits<v03.TransactionCommitEvent, EventLike>,
  Fits<Parameters<NonNullable<v03.EntitySubscriberInterface['afterQuery']>>[0], AfterQueryEventLike>,
  Fits<SubscriberLike, v03.EntitySubscriberInterface>,
  Fits<v03.EntitySchema, EntityLike<unknown>>,
];
