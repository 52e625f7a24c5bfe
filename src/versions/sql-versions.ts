// Versions in the database: each change is one transaction that holds its subject, and what it invalidates goes with its COMMIT.
import type { Cost } from '../contract/costs.js';
import type { Ask } from '../contract/outbox.js';
import type { Votes } from '../options/versions.js';
import { qualified, type Outcome, type Row } from '../sql/dialect.js';
import { hasTables } from '../sql/migration.js';
import {
  SUBJECT_TABLE,
  TALLY_TABLE,
  VERSION_COLUMNS,
  VERSION_TABLE,
  VOTE_TABLE,
  type VersionDialect,
} from './migrations.js';

/** One subject, as the tables know it. */
export interface SubjectId {
  /** A hash of the rest: 64 hex digits. */
  readonly hash: string;
  readonly type: string;
  readonly report: string;
  readonly tenant: string | undefined;
  /** In canonical form. */
  readonly filters: string;
}

/** A version without its body. */
export interface VersionRow {
  readonly version: number;
  /** Wall clock, ms. */
  readonly createdAt: number;
  readonly computeMs: number;
  readonly reason: string | undefined;
  readonly by: string | undefined;
  readonly cost: Cost | undefined;
  readonly up: number;
  readonly down: number;
  readonly views: number;
  /** Wall clock, ms. */
  readonly viewedAt: number | undefined;
}

/** A subject with the highest number that was given to a version of it, and the version that is pinned. */
export type SubjectRow = Omit<SubjectId, 'type'> & {
  readonly latest: number;
  readonly pinned: number | undefined;
};

export interface Overview {
  /** The highest number that was ever given, 0: none. Numbers are not given twice. */
  readonly latest: number;
  readonly pinned: number | undefined;
  /** Newest first. */
  readonly versions: readonly VersionRow[];
}

/** What is saved of a new version. */
export type NewVersion = Pick<VersionRow, 'version' | 'createdAt' | 'computeMs' | 'reason' | 'by' | 'cost'> & {
  readonly body: Buffer;
};

/** How often a version was served since it was last told. */
export interface ViewCount {
  readonly hash: string;
  readonly version: number;
  readonly views: number;
  /** Wall clock, ms. */
  readonly viewedAt: number;
}

/** Runs a task in a transaction of the host's DataSource. `invalidate` goes with its COMMIT. */
export type Transact = <T>(task: (ask: Ask, invalidate: (tags: readonly string[]) => void) => Promise<T>) => Promise<T>;

export interface SqlVersionsParts {
  readonly dialect: VersionDialect;
  readonly ask: Ask;
  readonly transact: Transact;
  readonly namespace: string;
  readonly schema: string | undefined;
}

export class SqlVersions {
  readonly #tables: Readonly<Record<'subject' | 'version' | 'tally' | 'vote', string>>;

  constructor(private readonly parts: SqlVersionsParts) {
    const named = (table: string) => qualified(parts.dialect.sql, parts.schema, table);
    this.#tables = {
      subject: named(SUBJECT_TABLE),
      version: named(VERSION_TABLE),
      tally: named(TALLY_TABLE),
      vote: named(VOTE_TABLE),
    };
  }

  /** Whether the migration has run. */
  isInstalled(): Promise<boolean> {
    const { ask, dialect, schema } = this.parts;
    return hasTables(ask, dialect.sql, schema, VERSION_COLUMNS);
  }

  overview(hash: string): Promise<Overview> {
    return this.#on(this.parts.ask).overview(hash);
  }

  /** In no order that means anything, but always the same. @param after the hash of one, which need not be there any more */
  async subjects(type: string, limit: number, after: string): Promise<readonly SubjectRow[]> {
    const { rows } = await this.#run(
      this.parts.ask,
      `SELECT subject, report, tenant, filters, latest, pinned FROM ${this.#tables.subject}` +
        ` WHERE namespace = $1 AND type = $2 AND subject > $3 ORDER BY subject LIMIT ${Math.trunc(limit)}`,
      [this.parts.namespace, type, after],
    );
    return rows.map(({ subject, report, tenant, filters, latest, pinned }) => ({
      hash: String(subject),
      report: String(report),
      tenant: tenant === null ? undefined : String(tenant),
      filters: String(filters),
      latest: Number(latest),
      pinned: pinned === null ? undefined : Number(pinned),
    }));
  }

  async body(hash: string, version: number): Promise<Buffer | undefined> {
    const { namespace } = this.parts;
    const { rows } = await this.#run(
      this.parts.ask,
      `SELECT body FROM ${this.#tables.version} WHERE namespace = $1 AND subject = $2 AND version = $3`,
      [namespace, hash, version],
    );
    const body: unknown = rows[0]?.['body'];
    // SQLite gives a view of its own memory.
    return body instanceof Uint8Array ? Buffer.from(body) : undefined;
  }

  /** The subject is held until the COMMIT, so changes of one subject come one after the other. */
  change<T>(id: SubjectId, task: (change: SubjectChange) => Promise<T>): Promise<T> {
    return this.parts.transact(async (ask, invalidate) => {
      const change = this.#on(ask, invalidate);
      await change.hold(id);
      return task(change);
    });
  }

  /** Adds to what is there. What has been removed meanwhile has no views any more. */
  async addViews({ hash, version, views, viewedAt }: ViewCount): Promise<void> {
    await this.#run(
      this.parts.ask,
      `UPDATE ${this.#tables.tally} SET views = views + $4, viewed_at = $5` +
        ' WHERE namespace = $1 AND subject = $2 AND version = $3',
      [this.parts.namespace, hash, version, views, viewedAt],
    );
  }

  #run(ask: Ask, sql: string, parameters: readonly unknown[]): Promise<Outcome> {
    return this.parts.dialect.sql.run(ask, sql, parameters);
  }

  #on(ask: Ask, invalidate: (tags: readonly string[]) => void = () => undefined): SubjectChange {
    const { namespace, dialect } = this.parts;
    const run = (sql: string, parameters: readonly unknown[]) => this.#run(ask, sql, [namespace, ...parameters]);
    return new SubjectChange({ run, dialect, tables: this.#tables, invalidate });
  }
}

interface ChangeParts {
  /** `$1` is the namespace. */
  readonly run: (sql: string, parameters: readonly unknown[]) => Promise<Outcome>;
  readonly dialect: VersionDialect;
  readonly tables: Readonly<Record<'subject' | 'version' | 'tally' | 'vote', string>>;
  readonly invalidate: (tags: readonly string[]) => void;
}

/** The statements on one subject. */
export class SubjectChange {
  constructor(private readonly parts: ChangeParts) {}

  invalidate(tags: readonly string[]): void {
    this.parts.invalidate(tags);
  }

  async hold({ hash, type, report, tenant, filters }: SubjectId): Promise<void> {
    const { run, tables, dialect } = this.parts;
    const hold = () =>
      run(`SELECT subject FROM ${tables.subject} WHERE namespace = $1 AND subject = $2${dialect.forUpdate}`, [hash]);
    if ((await hold()).rows.length > 0) return;
    await run(
      `INSERT INTO ${tables.subject} (namespace, subject, type, report, tenant, filters, latest)` +
        ` VALUES ($1, $2, $3, $4, $5, $6, 0) ${dialect.unlessExists}`,
      [hash, type, report, tenant ?? null, filters],
    );
    await hold();
  }

  async overview(hash: string): Promise<Overview> {
    const { run, tables } = this.parts;
    const { rows } = await run(
      `SELECT s.latest, s.pinned, v.version, v.created_at, v.compute_ms, v.reason, v.made_by, v.cost, t.up, t.down, t.views, t.viewed_at` +
        ` FROM ${tables.subject} s LEFT JOIN ${tables.version} v ON v.namespace = s.namespace AND v.subject = s.subject` +
        ` LEFT JOIN ${tables.tally} t ON t.namespace = v.namespace AND t.subject = v.subject AND t.version = v.version` +
        ` WHERE s.namespace = $1 AND s.subject = $2 ORDER BY v.version DESC`,
      [hash],
    );
    const [first] = rows;
    return {
      latest: numberOf(first?.['latest']) ?? 0,
      pinned: numberOf(first?.['pinned']),
      versions: rows.filter(({ version }) => numberOf(version) !== undefined).map((row) => versionOf(row)),
    };
  }

  async add(hash: string, { version, body, createdAt, computeMs, reason, by, cost }: NewVersion): Promise<void> {
    const { run, tables } = this.parts;
    await run(
      `INSERT INTO ${tables.version} (namespace, subject, version, body, created_at, compute_ms, reason, made_by, cost)` +
        ` VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [hash, version, body, createdAt, computeMs, reason ?? null, by ?? null, cost ? JSON.stringify(cost) : null],
    );
    await run(
      `INSERT INTO ${tables.tally} (namespace, subject, version, up, down, views) VALUES ($1, $2, $3, 0, 0, 0)`,
      [hash, version],
    );
    await run(`UPDATE ${tables.subject} SET latest = $3 WHERE namespace = $1 AND subject = $2`, [hash, version]);
  }

  /** @returns by how many each count has changed. */
  async vote(hash: string, version: number, voter: string, vote: 'up' | 'down' | undefined): Promise<Votes> {
    const { run, tables, dialect } = this.parts;
    const one = [hash, version, voter];
    const his = 'WHERE namespace = $1 AND subject = $2 AND version = $3 AND voter = $4';
    const { rows } = await run(`SELECT up FROM ${tables.vote} ${his}`, one);
    const known = numberOf(rows[0]?.['up']);
    const before = known === undefined ? undefined : known === 1 ? 'up' : 'down';
    if (before === vote) return { up: 0, down: 0 };
    if (vote === undefined) await run(`DELETE FROM ${tables.vote} ${his}`, one);
    else
      await run(
        `INSERT INTO ${tables.vote} (namespace, subject, version, voter, up) VALUES ($1, $2, $3, $4, $5) ${dialect.replacing}`,
        [...one, vote === 'up' ? 1 : 0],
      );
    const difference = (which: 'up' | 'down') => Number(vote === which) - Number(before === which);
    const [up, down] = [difference('up'), difference('down')];
    await run(
      `UPDATE ${tables.tally} SET up = up + $4, down = down + $5 WHERE namespace = $1 AND subject = $2 AND version = $3`,
      [hash, version, up, down],
    );
    return { up, down };
  }

  async pin(hash: string, version: number | undefined): Promise<void> {
    const { run, tables } = this.parts;
    await run(`UPDATE ${tables.subject} SET pinned = $3 WHERE namespace = $1 AND subject = $2`, [
      hash,
      version ?? null,
    ]);
  }

  /** @param version undefined: all, and the subject itself */
  async remove(hash: string, version: number | undefined): Promise<void> {
    const { run, tables } = this.parts;
    const where = `WHERE namespace = $1 AND subject = $2${version === undefined ? '' : ' AND version = $3'}`;
    const one = version === undefined ? [hash] : [hash, version];
    for (const table of [tables.vote, tables.tally, tables.version]) await run(`DELETE FROM ${table} ${where}`, one);
    if (version === undefined) await run(`DELETE FROM ${tables.subject} ${where}`, one);
  }
}

function versionOf(row: Row): VersionRow {
  const text = (name: string) => (typeof row[name] === 'string' ? row[name] : undefined);
  const cost = text('cost');
  return {
    version: Number(row['version']),
    createdAt: Number(row['created_at']),
    computeMs: Number(row['compute_ms']),
    reason: text('reason'),
    by: text('made_by'),
    cost: cost === undefined ? undefined : (JSON.parse(cost) as Cost),
    up: Number(row['up']),
    down: Number(row['down']),
    views: Number(row['views']),
    viewedAt: numberOf(row['viewed_at']),
  };
}

/** Drivers give bigints as text. */
function numberOf(value: Row[string]): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}
