// Runs a statement of ours inside somebody else's transaction so that its failure is not the transaction's.
import type { Ask, AskAtOnce } from '../contract/outbox.js';

const NAME = 'report_cache';

/**
 * After a failed statement PostgreSQL turns the COMMIT into a rollback, and TypeORM tells nobody.
 * @param noTransaction the code with which the database says that there is none to protect; undefined: a failed
 * statement leaves the transaction alone by itself.
 */
export async function insideSavepoint<T>(
  ask: Ask,
  noTransaction: string | undefined,
  statement: () => Promise<T>,
): Promise<T> {
  if (noTransaction === undefined || !(await begins(ask, noTransaction))) return statement();
  try {
    return await statement();
  } catch (error) {
    await ask(`ROLLBACK TO SAVEPOINT ${NAME}`);
    throw error;
  }
}

/** The same in one round trip, for a statement that stands for itself. */
export async function insideSavepointAtOnce(
  ask: Ask,
  atOnce: AskAtOnce,
  noTransaction: string | undefined,
  statement: string,
): Promise<readonly unknown[]> {
  try {
    return await atOnce([`SAVEPOINT ${NAME}`, statement]);
  } catch (error) {
    // Nothing of it was executed, because it begins with what it could not do.
    if ((error as { code?: unknown }).code === noTransaction) return atOnce([statement]);
    await ask(`ROLLBACK TO SAVEPOINT ${NAME}`);
    throw error;
  }
}

async function begins(ask: Ask, noTransaction: string): Promise<boolean> {
  try {
    await ask(`SAVEPOINT ${NAME}`);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === noTransaction) return false;
    throw error;
  }
}
