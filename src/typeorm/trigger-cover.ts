// Which tables write their own outbox rows by triggers, so that writers need not.
import type { EventSink } from '../contract/events.js';
import { EVERYTHING, kindOf, tableTag } from '../entry/tags.js';
import { errorText } from './apply-rules.js';
import type { Triggers } from './triggers/triggers.js';

export interface TriggerCover {
  /** Whether there are any triggers of ours. */
  readonly any: boolean;
  /** Whether they write for every table behind these tags. */
  covers(tags: readonly string[]): boolean;
}

export const NO_COVER: TriggerCover = { any: false, covers: () => false };

/** Compares the triggers that the rules ask for with those in the database, and says what has drifted. */
export async function coverOf(triggers: Pick<Triggers, 'tables' | 'check'>, emit: EventSink): Promise<TriggerCover> {
  const { tables } = triggers;
  if (tables.length === 0) return NO_COVER;
  try {
    const drift = await triggers.check();
    const missing = new Set(drift.filter(({ problem }) => problem === 'missing').map(({ table }) => bareName(table)));
    // None were ever installed: writes past the DataSource are a gap that the README names, not a mistake.
    if (tables.every((table) => missing.has(table))) return NO_COVER;
    if (drift.length > 0) emit(adviceFor(drift.map(({ table, problem }) => `${table} (${problem})`)));
    const drifted = new Set(drift.map(({ table }) => bareName(table)));
    const covered = new Set<string>(tables.filter((table) => !drifted.has(table)).map((table) => tableTag(table)));
    // A helper function is every table's.
    if ([...drifted].some((table) => !tables.includes(table) && missing.has(table))) covered.clear();
    return { any: true, covers: (tags) => areCovered(tags, covered) };
  } catch (error) {
    emit({
      kind: 'advice',
      code: 'trigger-check',
      message: `The triggers could not be looked at: ${errorText(error)}`,
    });
    // They may be there, and then write rows that their writers may as well take out.
    return { any: true, covers: () => false };
  }
}

/** The database names a table with its schema, and in quotes, where it has to. */
function bareName(table: string): string {
  return /([^".]+)"?$/.exec(table)?.[1] ?? table;
}

function areCovered(tags: readonly string[], covered: ReadonlySet<string>): boolean {
  const tables = tags.filter((tag) => kindOf(tag) === 'table');
  return tables.length > 0 && !tags.includes(EVERYTHING) && tables.every((table) => covered.has(table));
}

function adviceFor(drifted: readonly string[]) {
  return {
    kind: 'advice',
    code: 'trigger-drift',
    message:
      `The triggers of ${drifted.join(', ')} are not what the cascade rules ask for: writes past TypeORM may invalidate ` +
      'too little. Install them again (reports.triggers(dataSource).install()) or run a new migration of them.',
  } as const;
}
