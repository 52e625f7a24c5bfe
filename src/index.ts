// The public root: everything that an application uses. Loading it loads no Express, Redis or TypeORM.
export { createReportCache } from './create-report-cache.js';
export type { LoadedReport, ReportCache } from './report-cache.js';
export { tag, tableTag, wholeKind, EVERYTHING, type Tag } from './entry/tags.js';
export { ReportCacheError, ERROR_ADVICE, type ErrorCode } from './contract/errors.js';
export type { BypassReason, CacheEvent, CacheEventKind, DeclineReason, TtlReason } from './contract/events.js';
export type { Identity, Share } from './contract/identity.js';
export type { Health, HealthReason } from './contract/health.js';
export type { OutboxHealth } from './contract/outbox.js';
export type { Logger } from './contract/logger.js';
export type { MemoryUse, Observed, Observer } from './contract/observer.js';
export type { Place, Span, SpanFacts, SpanName, Tracer } from './contract/tracing.js';
export type { Consistency, LayerName } from './contract/store.js';
export type { Answer } from './core/answer.js';
export type { Loader, LoaderRun } from './contract/loader.js';
export type { Cost, Usage } from './contract/costs.js';
export {
  summarizeCosts,
  type Avoided,
  type AvoidedBy,
  type CostDay,
  type CostSummary,
  type Spent,
} from './costs/days.js';
export { costMigrations, type CostMigration } from './costs/migrations.js';
export type { FilterValue } from './entry/canonical.js';
export type { Filter, FilterKind, Filters, FilterSpec } from './entry/filters.js';
export type { ValueCodec } from './entry/value-codec.js';
export type { Duration, Size } from './options/duration.js';
export type {
  AdaptiveTtlOptions,
  BrowserPolicy,
  CompressOptions,
  ConnectOptions,
  MemoryOptions,
  ReportCacheOptions,
  RouteOptions,
  TypeOptions,
  ValueRequest,
} from './options/options.js';
export type {
  ResourceId,
  ResourceDeclarations,
  ResourceOptions,
  Resources,
  ResourceScope,
  ResourceSelection,
  Sources,
  Warmed,
} from './options/resources.js';
export type { LoadedReportOptions, Subject, WarmOptions, WarmSelection } from './options/loaded.js';
export type {
  Reader,
  WarmFailure,
  WarmLists,
  WarmProgress,
  WarmReport,
  WarmStop,
  WarmTarget,
  WarmTargets,
} from './contract/warming.js';
export type { AdminAction, AdminList, AdminMetrics, AdminOptions, DomainEvent, ListPage } from './options/admin.js';
export type { CostOptions, CostRange, Price, SpendLimit, SpendLimits } from './options/cost-options.js';
export type {
  GenerationRun,
  Regeneration,
  VersionAnswer,
  VersionedSubject,
  VersionListing,
  VersionedSubjects,
  Versions,
  VersionSelection,
  VersionsOptions,
  VersionSummary,
  Votes,
} from './options/versions.js';
export { versionMigrations, type VersionMigration } from './versions/migrations.js';
export type { Schedule } from './connect-schedule.js';
export type { RunningTask, ScheduledTask, ScheduleStatus, TaskOutcome, TaskRun } from './contract/schedule.js';
export type { BuiltInTask, ScheduleOptions, TaskOptions } from './options/schedule.js';
export type { BuiltInTasks, TaskFunction } from './scheduler/built-in.js';
export type { View, ViewOptions, ViewSource } from './options/views.js';
export type { ViewHealth } from './contract/views.js';
export { viewMigrations, type ViewMigration } from './views/migrations.js';
export { outboxMigrations, type MigrationRunner, type OutboxMigration } from './outbox/migrations.js';
export { persistMigrations } from './stores/database/migrations.js';
export type { RedisLike } from './contract/redis-like.js';
export type {
  CascadeFunction,
  CascadeOptions,
  CascadePaths,
  ChangeKind,
  EntityLike,
  PartialRow,
  RowChange,
} from './typeorm/cascade-rule.js';
export type { Drift } from './typeorm/triggers/drift.js';
export type { Triggers } from './typeorm/triggers/triggers.js';
export type { RelationPath } from './typeorm/relation-path.js';
