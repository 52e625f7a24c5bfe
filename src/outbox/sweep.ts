// One sweep: what writers left in the outbox is brought into force, and the watermark says up to when that is complete.
import { randomBytes } from 'node:crypto';
import { errorText } from '../contract/errors.js';
import type { AdoptionReason, EventSink } from '../contract/events.js';
import type { History, Observation } from '../contract/history.js';
import type { OutboxDatabase, OutboxRow, Scan } from '../contract/outbox.js';
import { EVERYTHING } from '../entry/tags.js';
import type { LateRows } from './late-rows.js';
import { standingOf } from './standing.js';

/** Rows in one sweep. */
export const BATCH_ROWS = 1000;
/** More rows than this are collapsed into one that means everything. */
export const MOST_ROWS = 10_000;
/** More tags than this in one sweep mean everything. */
const MOST_TAGS = 5000;
/** So long a statement that announced itself may run: its row is brought into force again by each sweep, and kept. */
export const INTENT_MS = 60_000;
/** Attempts to name the history in Redis after the generation that was won in the database. */
const NAMINGS = 3;

export interface SweepParts {
  readonly history: History;
  readonly database: OutboxDatabase;
  readonly emit: EventSink;
  readonly lateRows: LateRows;
  /** The oldest watermark under which anything is served, ms. */
  readonly lambdaMs: number;
}

export interface Sweep {
  readonly outcome:
    | 'complete' // all that was committed before the sweep began is in force, and the watermark says so
    | 'more' // rows are left; sweep again at once
    | 'adopted' // a new epoch has begun; its watermark comes with the next sweep
    | 'overtaken' // something changed under the sweep; nothing is claimed
    | 'fenced'; // the database follows another history
  readonly waiting: number;
  readonly oldestMs: number;
  /** Rows taken out of the outbox. */
  readonly drained: number;
  readonly poison: number;
  readonly seen: Observation;
}

/** Why a sweep failed: the step, and the error behind it. */
export class SweepFailure extends Error {
  constructor(
    readonly step: string,
    override readonly cause: unknown,
  ) {
    super(errorText(cause));
  }
}

/** @throws SweepFailure */
export async function sweep(parts: SweepParts): Promise<Sweep> {
  const { history, database, lambdaMs } = parts;
  // Before the scan: a watermark may claim only what was committed before anybody looked.
  const seen = await step('observe', history.observe());
  const scan = await step('scan', database.scan(BATCH_ROWS));
  const result = { waiting: scan.count, oldestMs: oldest(scan.rows), drained: 0, poison: 0, seen };
  const standing = standingOf(seen, scan, lambdaMs);
  if (standing.kind === 'true') return { ...result, ...(await drain(parts, seen, scan)) };

  // The database was asked later than Redis: whatever it knows more may have happened in between.
  const again = await step('observe', history.observe());
  const now = standingOf(again, scan, lambdaMs);
  if (now.kind === 'true') return { ...result, outcome: 'overtaken' };
  if (now.kind === 'fenced') return { ...result, seen: again, outcome: 'fenced' };
  return { ...result, outcome: await adopt(parts, again, scan, now.reason) };
}

/** Keeps the table bounded while Redis cannot be asked, which is when nobody drains it. */
export async function boundOutbox({ database, emit }: Pick<SweepParts, 'database' | 'emit'>): Promise<void> {
  const { count } = await database.scan(1);
  if (count > MOST_ROWS) emit({ kind: 'collapsed', rows: await database.collapse() });
}

type Drained = Pick<Sweep, 'outcome' | 'drained' | 'poison'>;

async function drain(
  { history, database, emit, lambdaMs, lateRows }: SweepParts,
  seen: Observation,
  scan: Scan,
): Promise<Drained> {
  const { rows, lsn } = scan;
  const { epoch } = seen.position;
  const nothing = { drained: 0, poison: 0 };
  if (scan.count > MOST_ROWS) {
    emit({ kind: 'collapsed', rows: await step('collapse', database.collapse()) });
    return { outcome: 'more', ...nothing };
  }
  const unreadable = rows.filter(({ tags }) => tags === undefined).map(({ id }) => id);
  const tags = tagsOf(rows);
  const before = seen.position.seq;
  let seq = before;
  if (tags.length > 0) {
    const bumped = await step(
      'invalidate',
      history.invalidate(tags, lsn === undefined ? {} : { lsn, lsnEpoch: epoch }),
    );
    // Another Redis answered than the one the database follows: the rows have yet to reach that one.
    if (bumped.epoch !== epoch) return { outcome: 'overtaken', ...nothing };
    seq = bumped.seq;
  }
  const needed = lateRows.look(scan);
  const isDone = (row: OutboxRow) => row.tags !== undefined && !(needed.get(row.id) ?? isUnderWay(row));
  const done = rows.filter(isDone).map(({ id }) => id);
  const drained = done.length === 0 ? 0 : await step('remove', database.remove(done, epoch));
  if (unreadable.length > 0) {
    await step('setAside', database.setAside(unreadable, 'unreadable tags'));
    emit({ kind: 'setAside', ids: unreadable });
  }
  const result = { drained, poison: unreadable.length };
  if (!(await step('swept', database.swept(epoch, seq)))) return { outcome: 'overtaken', ...result };
  if (rows.length >= BATCH_ROWS) {
    // A batch of nothing but announcements would be read for ever, and hide what comes behind.
    if (done.length + unreadable.length === 0)
      emit({ kind: 'collapsed', rows: await step('collapse', database.collapse()) });
    return { outcome: 'more', ...result };
  }
  // The WAL position shows what had been invalidated before the scan, and the rows of the scan; nothing between the two.
  const shown = seq === before + 1 ? seq : before;
  const position = lsn === undefined ? { epoch, seq: shown } : { epoch, seq: shown, lsn };
  await step('keepAlive', history.keepAlive(position, seen.now, lambdaMs));
  return { outcome: 'complete', ...result };
}

/**
 * The database goes first: whoever wins the next generation there may name a history after it, and from that moment no
 * row is removed under the old name. The new epoch begins empty, so nothing need be drained before it.
 */
async function adopt(
  { history, database, emit }: SweepParts,
  seen: Observation,
  { state, incarnation }: Scan,
  reason: AdoptionReason,
): Promise<Sweep['outcome']> {
  const generation = Math.max(state.generation, seen.generation ?? 0) + 1;
  const epoch = randomBytes(9).toString('base64url');
  if (!(await step('adopt', database.adopt(state, { generation, epoch, incarnation })))) return 'overtaken';
  let { position, generation: theirs } = seen;
  for (let naming = 0; naming < NAMINGS && (theirs ?? 0) < generation; naming += 1) {
    if (await step('adopt', history.adopt(position.epoch, epoch, generation))) {
      emit({ kind: 'adopted', generation, reason });
      return 'adopted';
    }
    // Somebody who had won an earlier generation has named it only now, or Redis began anew meanwhile.
    ({ position, generation: theirs } = await step('observe', history.observe()));
  }
  return 'overtaken';
}

/** Its statement may still be running, so what it touches must be invalidated once more. */
function isUnderWay(row: OutboxRow): boolean {
  return row.intent && row.ageMs <= INTENT_MS;
}

function tagsOf(rows: readonly OutboxRow[]): readonly string[] {
  const all = new Set<string>();
  for (const { tags } of rows) {
    if (tags === undefined) return [EVERYTHING];
    for (const tag of tags) all.add(tag);
    if (all.size > MOST_TAGS || all.has(EVERYTHING)) return [EVERYTHING];
  }
  return [...all];
}

function oldest(rows: readonly OutboxRow[]): number {
  return rows.reduce((most, { ageMs }) => Math.max(most, ageMs), 0);
}

async function step<T>(name: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new SweepFailure(name, error);
  }
}
