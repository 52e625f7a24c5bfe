// Composition: who keeps account of what results cost, and the DataSource that keeps it for good.
import type { Clock } from './contract/clock.js';
import type { Meter, Run, SpendGate, Usage } from './contract/costs.js';
import { ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { RedisLike } from './contract/redis-like.js';
import { NO_ACCOUNT } from './core/bill.js';
import { Payers } from './core/payers.js';
import { Account } from './costs/account.js';
import { dayOf } from './costs/counts.js';
import type { CostDay } from './costs/days.js';
import { Ledger } from './costs/ledger.js';
import { costDialectOf } from './costs/migrations.js';
import { RedisSpending, type RedisSpendingParts } from './costs/redis-spending.js';
import { SpendGuard, type SharedSpending } from './costs/spend-guard.js';
import { SqlCosts } from './costs/sql-costs.js';
import { obstacleTo, type Holding } from './obstacle.js';
import type { CostRange } from './options/cost-options.js';
import { dayStart, type CostPolicy } from './options/costs.js';
import { onlyKnown, wrong } from './options/checks.js';
import { redisKeys } from './stores/redis/redis-keys.js';
import { askAs, type DataSourceLike } from './typeorm/typeorm-like.js';

const COSTS: Holding = { what: 'the costs', tables: 1, migrations: 'costMigrations' };

export interface CostParts {
  readonly namespace: string;
  /** Where processes share what they have spent; absent: each knows its own. */
  readonly redis: RedisLike | undefined;
  readonly redisDeadlineMs: number;
  readonly clock: Clock;
  /** The log; the ledger listens in {@link CostKeeping.emit}. */
  readonly emit: EventSink;
}

export class CostKeeping {
  readonly #ledger: Ledger | undefined;
  readonly meter: Meter;
  /** Absent: there are no limits. */
  readonly gate: SpendGate | undefined;
  readonly #payers: Payers;
  /** Where events go. */
  readonly emit: EventSink;
  #keeper: object | undefined;
  #advised = false;

  /** @param policy undefined: nothing is counted. */
  constructor(
    policy: CostPolicy | undefined,
    private readonly parts: CostParts,
  ) {
    const { clock, emit } = parts;
    this.#ledger = policy && new Ledger({ currency: policy.currency, flushMs: policy.flushMs, clock, emit });
    this.emit = this.#ledger?.listening(emit) ?? emit;
    const guard =
      policy && policy.limits.size > 0 ? new SpendGuard(policy.limits, sharedSpending(parts), clock) : undefined;
    this.gate = guard;
    const spent: SpendGuard['record'] = (run, cost) => guard?.record(run, cost);
    this.meter = policy === undefined ? NO_ACCOUNT : new Account(policy, clock, this.emit, spent);
    this.#payers = new Payers(this.meter);
  }

  /** Whether anything is counted. */
  get on(): boolean {
    return this.#ledger !== undefined;
  }

  /** What goes on beside the cache, for whom. */
  beside(run: Run, task: () => void): void {
    this.#payers.run(run, task);
  }

  /** Of the handler that runs beside the cache in this asynchronous context. */
  spendBeside(usage: Usage): void {
    this.#payers.spend(usage);
  }

  /** The first DataSource that has the table keeps the ledger. */
  async connect(dataSource: DataSourceLike): Promise<void> {
    if (this.#ledger === undefined || this.#keeper !== undefined) return;
    const { type, schema } = dataSource.options;
    const dialect = costDialectOf(type);
    const { namespace } = this.parts;
    const table = dialect && new SqlCosts({ dialect, ask: askAs(dataSource), namespace, schema });
    const obstacle = await obstacleTo(COSTS, type, table && (() => table.isInstalled()));
    if (this.#keeper !== undefined) return;
    if (table === undefined || obstacle !== undefined) return this.#advise(obstacle ?? '');
    this.#keeper = dataSource;
    this.#ledger.connect(table);
  }

  async disconnect(dataSource: object): Promise<void> {
    if (this.#keeper !== dataSource) return;
    this.#keeper = undefined;
    await this.#ledger?.disconnect();
  }

  /** @throws ERC_OPTION, and whatever the database does */
  async days(range: CostRange): Promise<CostDay[]> {
    if (this.#ledger === undefined)
      throw new ReportCacheError('ERC_OPTION', 'Nothing is counted: the option `costs` is not set.');
    onlyKnown(range, ['from', 'to'], 'costs().');
    const today = dayOf(this.parts.clock.now());
    const { from = today, to = today } = range;
    for (const [name, day] of Object.entries({ from, to }))
      if (dayStart(day) === undefined) throw wrong(`costs().${name}`, day, 'a day such as 2026-01-31');
    return this.#ledger.days(from, to);
  }

  /** Adds what was counted to the table. Never rejects. */
  async flush(): Promise<void> {
    await this.#ledger?.flush();
  }

  async close(): Promise<void> {
    await this.#ledger?.disconnect();
  }

  #advise(obstacle: string): void {
    if (this.#advised) return;
    this.#advised = true;
    this.parts.emit({
      kind: 'advice',
      code: 'costs-memory',
      message: `${obstacle} Until then costs are counted by this process for itself, and forgotten when it ends.`,
    });
  }
}

function sharedSpending({ redis, redisDeadlineMs, namespace, clock }: CostParts): SharedSpending | undefined {
  if (redis === undefined) return undefined;
  const keys = redisKeys(namespace, '', '');
  const nameOf: RedisSpendingParts['nameOf'] = ({ day, type, owner }) => keys.spending(day, type, owner);
  return new RedisSpending({ client: redis, nameOf, deadlineMs: redisDeadlineMs, clock });
}
