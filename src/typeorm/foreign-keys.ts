// Which tables the database itself changes when rows of another go: computed from foreign keys, never observed.
import type { Verb } from './statement.js';

/** One foreign key; tables by bare name in lower case. */
export interface ForeignKey {
  /** The table that refers. */
  readonly from: string;
  /** The table referred to. */
  readonly to: string;
  readonly onDelete: string | undefined;
  readonly onUpdate: string | undefined;
  readonly referencedColumns: readonly string[];
}

const ACTIONS = ['CASCADE', 'SET NULL', 'SET DEFAULT'];

function acts(key: ForeignKey, verb: Verb): boolean {
  const action = verb === 'delete' ? key.onDelete : verb === 'update' ? key.onUpdate : undefined;
  return action !== undefined && ACTIONS.includes(action);
}

export class ForeignKeys {
  readonly #to = new Map<string, ForeignKey[]>();

  constructor(keys: Iterable<ForeignKey>) {
    for (const key of keys) this.#to.set(key.to, [...(this.#to.get(key.to) ?? []), key]);
  }

  /**
   * The other tables that change with `table`; it is among them itself when it refers to itself.
   * @param cascade TRUNCATE … CASCADE: every referring table is emptied.
   * @param except tables whose changes the ORM announces row by row.
   */
  reach(table: string, verb: Verb, cascade = false, except: ReadonlySet<string> = new Set()): Set<string> {
    const reached = new Set<string>();
    const seen = new Set<string>();
    const todo: (readonly [string, Verb])[] = [[table, verb]];
    for (let next = todo.pop(); next; next = todo.pop()) {
      const [here, how] = next;
      if (seen.has(`${how} ${here}`)) continue;
      seen.add(`${how} ${here}`);
      for (const key of this.#to.get(here) ?? []) {
        const truncates = how === 'truncate' && cascade;
        if (except.has(key.from) || (!truncates && !acts(key, how))) continue;
        reached.add(key.from);
        const deletes = how === 'delete' && key.onDelete === 'CASCADE';
        todo.push([key.from, truncates ? 'truncate' : deletes ? 'delete' : 'update']);
      }
    }
    return reached;
  }

  /** Whether an update of these columns is passed on to referring tables; unknown columns count as all. */
  passesOn(table: string, columns: ReadonlySet<string> | undefined): boolean {
    return (this.#to.get(table) ?? []).some(
      (key) => acts(key, 'update') && (!columns || key.referencedColumns.some((one) => columns.has(one))),
    );
  }
}
