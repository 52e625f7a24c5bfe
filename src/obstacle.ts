// Why the database of a DataSource cannot hold tables of the library, in words that say what to do.
import { errorText } from './contract/errors.js';

export interface Holding {
  /** As in `cannot hold the outbox`, `the tables of the outbox`. */
  readonly what: string;
  readonly tables: number;
  /** The name of the export. */
  readonly migrations: string;
}

/** @param areThere absent: no database of this type can hold them. @returns undefined: nothing stands against it. */
export async function obstacleTo(
  { what, tables, migrations }: Holding,
  type: string,
  areThere: (() => Promise<boolean>) | undefined,
): Promise<string | undefined> {
  if (areThere === undefined) return `A database of type "${type}" cannot hold ${what}.`;
  const [named, are] = tables === 1 ? [`table of ${what}`, 'is'] : [`tables of ${what}`, 'are'];
  try {
    if (await areThere()) return undefined;
  } catch (error) {
    return `The database did not say whether it has the ${named} (${errorText(error)}).`;
  }
  return `The ${named} ${are} missing: add \`...${migrations}\` to the migrations of the DataSource and run them.`;
}
