// The list of results for administrators: how each was used, and whether it is still fresh; and its clearing.
import type { DataSource } from 'typeorm';
import { RESULT_KINDS, type ResultKind } from '../entities/index.js';
import type { Reports } from '../cache.js';
import type { Query } from '../reports/sql.js';

export const STATES = ['fresh', 'expired'] as const;

export interface ListFilters {
  readonly kind: ResultKind;
  readonly user: number | null;
  readonly engine: string | null;
  readonly state: (typeof STATES)[number] | null;
  readonly page: number;
  readonly size: number;
}

const LIST = `
WITH chosen AS (
  SELECT user_id, subject, engine, generated, hits, tokens_used, tokens_saved, created_at, expires_at,
         CASE WHEN expires_at > now() THEN 'fresh' ELSE 'expired' END AS state
    FROM result_uses
   WHERE kind = $1 AND ($2::int IS NULL OR user_id = $2) AND ($3::text IS NULL OR engine = $3)
)
SELECT (SELECT count(*)::int FROM chosen WHERE $4::text IS NULL OR state = $4) AS total,
       (SELECT coalesce(json_agg(page), '[]'::json)
          FROM (SELECT * FROM chosen WHERE $4::text IS NULL OR state = $4
                 ORDER BY created_at DESC, user_id, subject, engine LIMIT $5 OFFSET $6) page) AS items`;

const FORGET = `DELETE FROM result_uses WHERE expires_at IS NULL OR expires_at <= now()`;

export interface Listed {
  readonly total: number;
  readonly items: readonly object[];
}

export async function listResults(dataSource: DataSource, filters: ListFilters): Promise<Listed> {
  const query: Query = (sql, parameters) => dataSource.query(sql, [...parameters]);
  const { kind, user, engine, state, page, size } = filters;
  const [row] = await query<Listed>(LIST, [kind, user, engine, state, size, (page - 1) * size]);
  return row ?? { total: 0, items: [] };
}

/** Deletes what is past its time or was invalidated. @returns how many of each kind */
export async function clearExpired(reports: Reports, dataSource: DataSource): Promise<Record<ResultKind, number>> {
  const pruned = await reports.prune();
  await dataSource.query(FORGET);
  return Object.fromEntries(RESULT_KINDS.map((kind) => [kind, pruned[kind] ?? 0])) as Record<ResultKind, number>;
}
