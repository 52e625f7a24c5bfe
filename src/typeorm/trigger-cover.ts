// Which tables write their own outbox rows by triggers, so that writers need not.
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import { EVERYTHING, kindOf, tableTag } from '../entry/tags.js';
import type { Triggers } from './triggers/triggers.js';

interface Cover {
  readonly any: boolean;
  covers(tags: readonly string[]): boolean;
}

type Wanted = Pick<Triggers, 'tables' | 'check'>;

const NONE: Cover = { any: false, covers: () => false };

/** What is known of the triggers in the database: nothing is covered before they have been looked at. */
export class TriggerCover {
  #cover = NONE;
  #wishes = 0;
  #looking: Promise<void> | undefined;

  /** @param wanted what the rules ask for by now. */
  constructor(
    private readonly wanted: () => Wanted,
    private readonly emit: EventSink,
  ) {}

  /** Whether there are any triggers of ours. */
  get any(): boolean {
    return this.#cover.any;
  }

  /** Whether they write for every table behind these tags. */
  covers(tags: readonly string[]): boolean {
    return this.#cover.covers(tags);
  }

  /** The rules have changed, or the triggers. Never rejects. */
  look(): Promise<void> {
    // Until they have been looked at again, writers write rows of their own.
    this.#cover = { ...this.#cover, covers: () => false };
    this.#wishes += 1;
    this.#looking ??= this.#look();
    return this.#looking;
  }

  /** Only a look that began after the last change counts. */
  async #look(): Promise<void> {
    let cover: Cover;
    let wishes: number;
    do {
      wishes = this.#wishes;
      cover = await coverOf(this.wanted, this.emit);
    } while (wishes !== this.#wishes);
    this.#cover = cover;
    this.#looking = undefined;
  }
}

/** Compares the triggers that the rules ask for with those in the database, and says what has drifted. */
async function coverOf(wanted: () => Wanted, emit: EventSink): Promise<Cover> {
  try {
    const triggers = wanted();
    const { tables } = triggers;
    if (tables.length === 0) return NONE;
    const drift = await triggers.check();
    const missing = new Set(drift.filter(({ problem }) => problem === 'missing').map(({ table }) => bareName(table)));
    // None were ever installed: writes past the DataSource are a gap that the README names, not a mistake.
    if (tables.every((table) => missing.has(table))) return NONE;
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
