// Takes the tags of a write through its commit: an outbox row and a mark before it, the invalidation after it, the row away.
import type { Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Invalidator, Mark } from '../contract/invalidation.js';
import type { Ask, OutboxWriter } from '../contract/outbox.js';
import { lookUp, lookUpInTransaction, settleCoarsely } from './look-up.js';
import { askAs, askAtOnceAs, type DriverLike, type QueryRunnerLike } from './typeorm-like.js';
import { narrow } from './narrow.js';
import type { TagBag } from './tag-bag.js';

export type Cause = 'commit' | 'autocommit' | 'rollback' | 'raw';

/** The application's own database keeps invalidations until Redis has them. */
export interface Durable {
  readonly outbox: OutboxWriter;
  /** Writers are answered only when their rows are gone under the fence. */
  readonly fencedAnswers: boolean;
  /** How long a fence may take to close after a change of epoch, ms. */
  readonly settleMs: number;
  /** Whether triggers write the rows of every table that stands behind these tags. */
  covers(tags: readonly string[]): boolean;
  /** Whether there are triggers at all. */
  readonly triggers: boolean;
}

export interface DeliveryParts {
  readonly driver: DriverLike;
  readonly invalidator: Invalidator;
  readonly emit: EventSink;
  readonly clock: Clock;
  readonly sharedRunner: boolean;
  /** Writes announce themselves before their COMMIT. */
  readonly marks: boolean;
  /** Undefined while the outbox is off. */
  readonly durable: () => Durable | undefined;
  /** WAL position that shows what this connection has committed; undefined where nobody reads from replicas. */
  readonly replayNeeded: (ask: Ask) => Promise<string | undefined>;
}

/** What was put in place before a write. */
export interface Prepared {
  readonly rows: readonly string[];
  readonly marks: readonly Mark[];
}

export const NOTHING: Prepared = { rows: [], marks: [] };

/** Rows are drained in the order of their ids, so with this one all are gone. */
function latest(rows: readonly string[]): string | undefined {
  return rows.reduce<string | undefined>(
    (most, id) => (most === undefined || BigInt(id) > BigInt(most) ? id : most),
    undefined,
  );
}

/** Between two looks at whether the fence has closed. */
const FENCE_PAUSE_MS = 20;

export class Delivery {
  constructor(private readonly parts: DeliveryParts) {}

  /** Whether anything has to be done before a write becomes durable. */
  get prepares(): boolean {
    return !this.parts.sharedRunner && (this.parts.marks || this.parts.durable() !== undefined);
  }

  /**
   * Inside a transaction, as the last thing before its COMMIT.
   * @throws ERC_MARK
   */
  async beforeCommit(runner: QueryRunnerLike, bag: TagBag): Promise<Prepared> {
    // A mark on a whole kind would stop all its reports; an outbox row is read only if this process dies.
    if (this.parts.marks) await lookUpInTransaction(runner, bag, this.parts);
    settleCoarsely(bag);
    return this.#prepare(bag.tags(), (outbox, tags) =>
      outbox.write(askAs(runner), tags, askAtOnceAs(runner, this.parts.driver.options.type)),
    );
  }

  /**
   * Before a statement outside transactions, whose rows are not known yet.
   * @throws ERC_MARK
   */
  beforeStatement(runner: QueryRunnerLike, bag: TagBag): Promise<Prepared> {
    return this.#prepare(bag.tags(), (outbox, tags) =>
      outbox.intend(askAs(runner), tags, askAtOnceAs(runner, this.parts.driver.options.type)),
    );
  }

  async #prepare(
    tags: readonly string[],
    write: (outbox: OutboxWriter, tags: readonly string[]) => Promise<string>,
  ): Promise<Prepared> {
    if (tags.length === 0) return NOTHING;
    const rows: string[] = [];
    const durable = this.parts.durable();
    if (durable && !durable.covers(tags)) {
      try {
        rows.push(await write(durable.outbox, tags));
      } catch (error) {
        // The write goes on: without the row only a crash right after its commit can lose the invalidation.
        this.parts.emit({ kind: 'outboxFailed', operation: 'write', error: errorText(error) });
      }
    }
    try {
      const mark = await this.parts.invalidator.mark(tags);
      return { rows, marks: mark ? [mark] : [] };
    } catch (error) {
      this.parts.durable()?.outbox.withdraw(rows);
      throw error;
    }
  }

  /** Nothing was written after all. */
  async withdraw({ rows, marks }: Prepared): Promise<void> {
    if (rows.length > 0) this.parts.durable()?.outbox.withdraw(rows);
    await Promise.all(marks.map((mark) => this.parts.invalidator.unmark(mark)));
  }

  /** Brings a durable write into force. Never rejects. */
  async deliver(runner: QueryRunnerLike | undefined, bag: TagBag, cause: Cause, prepared = NOTHING): Promise<void> {
    const usable = runner && !runner.isReleased ? runner : undefined;
    if (usable) await lookUp(usable, bag, this.parts);
    else settleCoarsely(bag);
    const ask = usable && askAs(usable);
    const durable = this.parts.durable();
    const triggered = ask && durable?.triggers ? await this.#byTriggers(durable, ask) : { ids: [], tags: [] };
    const rows = [...prepared.rows, ...triggered.ids];
    const told = bag.tags();
    // Where triggers wrote for every table, they know the rows of a statement whose rows TypeORM does not tell.
    const complete = triggered.ids.length > 0 && durable?.covers(told) === true;
    const tags = complete ? narrow(told, triggered.tags) : [...told, ...triggered.tags];
    if (tags.length === 0) return this.withdraw(prepared);
    const lsnEpoch = this.parts.invalidator.epoch;
    const lsn = ask && (await this.parts.replayNeeded(ask));
    const [mark, ...others] = prepared.marks;
    const last = latest(rows);
    const committed = {
      ...(mark && { mark }),
      ...(lsn !== undefined && { lsn, lsnEpoch }),
      // Under a fence it is not enough: who has drained it does not say how old his epoch is.
      ...(durable &&
        ask &&
        last !== undefined &&
        !durable.fencedAnswers && { isDrained: () => durable.outbox.isGone(ask, last) }),
    };
    const position = await this.#invalidate(tags, cause, committed);
    await Promise.all(others.map((other) => this.parts.invalidator.unmark(other)));
    if (durable === undefined) return;
    if (position === undefined) return durable.outbox.executed(prepared.rows);
    if (durable.fencedAnswers && ask) await this.#untilFenced(durable, ask, rows, position);
    else durable.outbox.told(rows, position.epoch);
  }

  async #byTriggers({ outbox }: Durable, ask: Ask): ReturnType<OutboxWriter['byTriggers']> {
    try {
      return await outbox.byTriggers(ask);
    } catch (error) {
      // They are still there for the sweeper.
      this.parts.emit({ kind: 'outboxFailed', operation: 'read', error: errorText(error) });
      return { ids: [], tags: [] };
    }
  }

  async #invalidate(tags: readonly string[], cause: Cause, committed: Parameters<Invalidator['invalidate']>[2]) {
    try {
      return await this.parts.invalidator.invalidate(tags, cause, committed);
    } catch (error) {
      this.parts.emit({ kind: 'invalidateFailed', tags, cause, attempt: 1, error: errorText(error) });
      return undefined;
    }
  }

  /** While two servers both take themselves for the true one, only the database can say which of them was told. */
  async #untilFenced(
    { outbox, settleMs }: Durable,
    ask: Ask,
    rows: readonly string[],
    position: { epoch: string; epochAgeMs?: number },
  ): Promise<void> {
    const started = this.parts.clock.monotonic();
    const young = Math.max(0, settleMs - (position.epochAgeMs ?? Infinity));
    const pause = (ms: number) => new Promise<void>((resolve) => this.parts.clock.after(ms, resolve));
    for (let closed = false; !closed && this.parts.clock.monotonic() - started < settleMs;) {
      closed = await outbox.toldNow(ask, rows, position.epoch).catch(() => false);
      if (!closed) await pause(FENCE_PAUSE_MS);
    }
    // What the other side of a split may still be serving ends within that time.
    const left = young - (this.parts.clock.monotonic() - started);
    if (left > 0) await pause(left);
  }
}
