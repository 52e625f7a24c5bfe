// The results as a list of the management of the cache.
import type { DataSource } from 'typeorm';
import type { AdminList } from '../cache.js';
import type { ResultKind } from '../entities/index.js';
import { listResults } from './listed.js';
import type { Uses } from './uses.js';

const COLUMNS = [
  'user_id',
  'subject',
  'engine',
  'state',
  'generated',
  'hits',
  'tokens_used',
  'tokens_saved',
  'created_at',
];
const MOST_PAGES = 100_000;

/** Its places are numbers of pages, so each page has to be asked for with the same limit. */
export function resultList(title: string, kind: ResultKind, dataSource: DataSource, uses: Uses): AdminList {
  return {
    title,
    columns: COLUMNS,
    // Whom they are about is for administrators, as at their own routes.
    action: 'clear',
    async page({ limit, after }) {
      const page = after === undefined ? 1 : pageIn(after);
      await uses.flush();
      const filters = { kind, user: null, engine: null, state: null, page, size: limit };
      const { items, total } = await listResults(dataSource, filters);
      return { items, ...(page * limit < total && { next: String(page + 1) }) };
    },
  };
}

/** One that is none has nothing on it. */
function pageIn(text: string): number {
  return /^[1-9]\d{0,4}$/.test(text) ? Number(text) : MOST_PAGES;
}
