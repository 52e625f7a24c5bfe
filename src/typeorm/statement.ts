// Says what a piece of SQL does to rows and transactions: nothing, certain tables, or "could be anything".
import { tokenize, type SqlFlavour, type Token } from './sql-tokens.js';

export type Verb = 'insert' | 'update' | 'delete' | 'truncate';

export type Effect =
  | {
      readonly kind: 'write';
      readonly verb: Verb;
      /** Bare table name: without schema and quotes, in lower case unless it was quoted. */
      readonly table: string;
      /** Rows in the VALUES list of an INSERT. */
      readonly rows?: number;
      /** An INSERT that may also change, replace or skip rows. */
      readonly conflict?: boolean;
      /** TRUNCATE … CASCADE. */
      readonly cascade?: boolean;
    }
  | { readonly kind: 'begin'; readonly isolation: string | undefined }
  | { readonly kind: 'commit' | 'rollback'; readonly chain: boolean }
  | { readonly kind: 'isolation'; readonly isolation: string }
  /** Cannot be shown to leave rows alone. */
  | { readonly kind: 'unknown'; readonly why: string };

interface Name {
  readonly name: string;
  readonly next: number;
}

const isWord = (token: Token | undefined, ...texts: string[]): boolean =>
  token?.type === 'word' && texts.includes(token.text);
const isSymbol = (token: Token | undefined, text: string): boolean => token?.type === 'symbol' && token.text === text;

/** A name such as `"school"."grade"` at `at`: its last part. */
function nameAt(tokens: readonly Token[], at: number): Name | undefined {
  let i = at;
  let name: string | undefined;
  for (;;) {
    const token = tokens[i];
    if (token?.type !== 'word' && token?.type !== 'quoted') return undefined;
    name = token.text;
    i++;
    if (!isSymbol(tokens[i], '.')) return { name, next: i };
    i++;
    while (isSymbol(tokens[i], '.')) i++; // mssql: database..table
  }
}

/** The index after the parenthesis that closes the one at `open`. */
function afterParenthesis(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    if (isSymbol(tokens[i], '(')) depth++;
    else if (isSymbol(tokens[i], ')') && --depth === 0) return i + 1;
  }
  return tokens.length;
}

/** Cuts at top-level semicolons. */
function split(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  for (const token of tokens) {
    if (isSymbol(token, ';')) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts.filter((part) => part.length > 0);
}

/** Rows in `VALUES (…), (…)` that begins at `at`. */
function valueRows(tokens: readonly Token[], at: number): number | undefined {
  if (isWord(tokens[at], 'default') && isWord(tokens[at + 1], 'values')) return 1;
  if (!isWord(tokens[at], 'values', 'value')) return undefined;
  let rows = 0;
  let i = at + 1;
  while (isSymbol(tokens[i], '(')) {
    rows++;
    i = afterParenthesis(tokens, i);
    if (!isSymbol(tokens[i], ',')) break;
    i++;
  }
  return rows;
}

function insertAt(tokens: readonly Token[], at: number): Effect | undefined {
  let i = at + 1;
  let conflict = isWord(tokens[at], 'replace');
  while (isWord(tokens[i], 'or', 'ignore', 'replace', 'low_priority', 'high_priority', 'delayed', 'abort', 'fail')) {
    if (isWord(tokens[i], 'ignore', 'replace')) conflict = true;
    i++;
  }
  if (isWord(tokens[i], 'into', 'overwrite')) i++;
  const target = nameAt(tokens, i);
  if (!target) return undefined;
  i = target.next;
  if (isWord(tokens[i], 'as')) i += 2;
  if (isSymbol(tokens[i], '(')) i = afterParenthesis(tokens, i);
  while (isWord(tokens[i], 'overriding', 'system', 'user') || (isWord(tokens[i], 'value') && rowsLater(tokens, i))) i++;
  if (isWord(tokens[i], 'output')) while (i < tokens.length && !isWord(tokens[i], 'values', 'default', 'select')) i++;
  const rows = valueRows(tokens, i);
  conflict ||= tokens.some(
    (token, k) =>
      isWord(token, 'on') && (isWord(tokens[k + 1], 'conflict') || isWord(tokens[k + 1], 'duplicate')) && k > i,
  );
  return { kind: 'write', verb: 'insert', table: target.name, conflict, ...(rows === undefined ? {} : { rows }) };
}

/** `OVERRIDING SYSTEM VALUE VALUES (…)`: the first "value" is not the list. */
function rowsLater(tokens: readonly Token[], at: number): boolean {
  return isWord(tokens[at + 1], 'values', 'default', 'select');
}

function updateAt(tokens: readonly Token[], at: number): Effect | undefined {
  let i = at + 1;
  while (isWord(tokens[i], 'only', 'low_priority', 'ignore', 'or', 'rollback', 'abort', 'replace', 'fail')) i++;
  const target = nameAt(tokens, i);
  if (!target) return undefined;
  i = target.next;
  if (isSymbol(tokens[i], '*')) i++;
  if (isWord(tokens[i], 'as')) i++;
  if (!isWord(tokens[i], 'set')) i++;
  // Anything else before SET is MySQL's update of a join.
  return isWord(tokens[i], 'set') ? { kind: 'write', verb: 'update', table: target.name } : undefined;
}

function targetAfter(tokens: readonly Token[], at: number, word: string, verb: Verb): Effect | undefined {
  if (!isWord(tokens[at + 1], word)) return undefined;
  const target = nameAt(tokens, isWord(tokens[at + 2], 'only') ? at + 3 : at + 2);
  return target && { kind: 'write', verb, table: target.name };
}

/** Words after which `UPDATE`, `DELETE`, `INSERT` belong to a clause: FOR UPDATE, DO UPDATE, ON DELETE, WHEN … THEN. */
const CLAUSE = ['for', 'do', 'on', 'then', 'key', 'of', 'or', 'as', 'by'];

/** Every data-changing statement inside `tokens`, those in WITH included. */
function writesIn(tokens: readonly Token[]): Effect[] {
  const effects: Effect[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const before = tokens[i - 1];
    const starts = before === undefined || isSymbol(before, '(') || isSymbol(before, ')');
    if (!isWord(tokens[i], 'insert', 'update', 'delete', 'merge', 'replace')) continue;
    if (!starts) {
      if (isWord(before, ...CLAUSE) || isWord(tokens[i], 'replace')) continue;
      // A column or alias with such a name, or a form that is not known here: only the latter names a table next.
      if (!isWord(tokens[i + 1], 'into', 'from')) continue;
    }
    const verb = tokens[i]?.text;
    if (verb === 'replace' && isSymbol(tokens[i + 1], '(')) continue;
    const effect =
      verb === 'insert' || verb === 'replace'
        ? insertAt(tokens, i)
        : verb === 'update'
          ? updateAt(tokens, i)
          : verb === 'delete'
            ? targetAfter(tokens, i, 'from', 'delete')
            : targetAfter(tokens, i, 'into', 'delete'); // MERGE may delete: the verb with the widest reach
    effects.push(effect ?? { kind: 'unknown', why: `${verb?.toUpperCase()} in an unknown form` });
  }
  return effects;
}

/** Calls of functions that are not known to be harmless. */
function doubtfulCalls(tokens: readonly Token[], safe: ReadonlySet<string>): Effect[] {
  const effects: Effect[] = [];
  const insertTargets = new Set<number>();
  for (let i = 0; i < tokens.length; i++) {
    if (isWord(tokens[i], 'into', 'references')) {
      const target = nameAt(tokens, i + 1);
      if (target) insertTargets.add(target.next);
    }
    const open = tokens[i + 1];
    const token = tokens[i] as Token;
    if (!isSymbol(open, '(') || (token.type !== 'word' && token.type !== 'quoted') || insertTargets.has(i + 1))
      continue;
    const name = token.text.toLowerCase();
    if (safe.has(name)) continue;
    let first = i;
    while (isSymbol(tokens[first - 1], '.')) first -= 2;
    const before = tokens[first - 1];
    // `AS name (…)`, `x::type(…)`, `FROM f() alias(…)`, `FROM t alias(…)`: a name, a type or an alias, not a call.
    if (isWord(before, 'as') || isSymbol(before, '::') || isSymbol(before, ')') || before?.type === 'quoted') continue;
    // `WITH name(columns) AS (…)`
    const after = afterParenthesis(tokens, i + 1);
    if (
      isWord(tokens[after], 'as') &&
      (isSymbol(tokens[after + 1], '(') || isWord(tokens[after + 1], 'materialized', 'not'))
    )
      continue;
    effects.push({ kind: 'unknown', why: `${token.text}()` });
  }
  return effects;
}

function isolationIn(tokens: readonly Token[]): string | undefined {
  const at = tokens.findIndex((token, i) => isWord(token, 'isolation') && isWord(tokens[i + 1], 'level'));
  if (at < 0) return undefined;
  const words = tokens.slice(at + 2, at + 4).filter((token) => token.type === 'word');
  return words
    .map((token) => token.text)
    .join(' ')
    .trim();
}

const HARMLESS = new Set(
  `show set reset discard listen notify unlisten fetch move close lock checkpoint analyze vacuum reindex cluster comment
  grant revoke savepoint release deallocate prepare pragma describe desc use declare`.split(/\s+/),
);
/** Statements that read, unless something inside them does more. */
const READING = new Set(['select', 'with', 'values', 'table', 'declare', 'explain']);
const WRITING = new Set(['insert', 'update', 'delete', 'merge', 'replace']);

function ddl(tokens: readonly Token[], safe: ReadonlySet<string>): Effect[] {
  const temporary = tokens.slice(1, 4).some((token) => isWord(token, 'temp', 'temporary'));
  if (isWord(tokens[0], 'create') && temporary) {
    const body = tokens.findIndex((token) => isWord(token, 'select', 'with'));
    return body < 0 ? [] : reading(tokens.slice(body), safe);
  }
  if (tokens.slice(1, 4).some((token) => isWord(token, 'index'))) return [];
  return [
    {
      kind: 'unknown',
      why: tokens
        .slice(0, 2)
        .map((token) => token.text.toUpperCase())
        .join(' '),
    },
  ];
}

function reading(tokens: readonly Token[], safe: ReadonlySet<string>): Effect[] {
  const effects = writesIn(tokens);
  if (effects.length === 0) {
    const into = tokens.findIndex((token) => isWord(token, 'into'));
    if (into >= 0) effects.push({ kind: 'unknown', why: 'SELECT INTO' });
  }
  return [...effects, ...doubtfulCalls(tokens, safe)];
}

function effectsOf(given: readonly Token[], safe: ReadonlySet<string>): Effect[] {
  let tokens = given;
  while (isSymbol(tokens[0], '(')) tokens = tokens.slice(1);
  const verb = tokens[0]?.type === 'word' ? tokens[0].text : '';
  const second = tokens[1];
  const chain = tokens.some((token, i) => isWord(token, 'chain') && !isWord(tokens[i - 1], 'no'));
  const unknown = (): Effect[] => [{ kind: 'unknown', why: verb === '' ? 'unreadable SQL' : verb.toUpperCase() }];

  if (WRITING.has(verb)) return [...writesIn(tokens), ...doubtfulCalls(tokens, safe)];
  if (verb === 'explain') {
    const explained = tokens.findIndex(
      (token, i) => i > 0 && token.type === 'word' && (WRITING.has(token.text) || READING.has(token.text)),
    );
    const runs = tokens.slice(0, explained).some((token) => isWord(token, 'analyze', 'analyse'));
    return runs ? effectsOf(tokens.slice(explained), safe) : [];
  }
  if (verb === 'declare' || READING.has(verb)) return reading(tokens, safe);
  switch (verb) {
    case 'start':
    case 'begin': {
      const known =
        second === undefined || isWord(second, 'transaction', 'work', 'isolation', 'read', 'not', 'deferrable');
      if (!known && !isWord(second, 'deferred', 'immediate', 'exclusive', 'tran', 'concurrent')) return unknown();
      return [{ kind: 'begin', isolation: isolationIn(tokens) }];
    }
    case 'commit':
    case 'end':
      return isWord(second, 'prepared') ? unknown() : [{ kind: 'commit', chain }];
    case 'rollback':
    case 'abort':
      if (isWord(second, 'prepared')) return [];
      return tokens.some((token) => isWord(token, 'to')) ? [] : [{ kind: 'rollback', chain }];
    case 'prepare':
      // From here on another session decides; whatever it was, it may be committed.
      return isWord(second, 'transaction') ? [{ kind: 'commit', chain: false }] : [];
    case 'set': {
      const isolation = isolationIn(tokens);
      return isolation === undefined ? [] : [{ kind: 'isolation', isolation }];
    }
    case 'truncate': {
      const effects: Effect[] = [];
      const cascade = tokens.some((token) => isWord(token, 'cascade'));
      let at = isWord(second, 'table') ? 2 : 1;
      for (;;) {
        if (isWord(tokens[at], 'only')) at++;
        const target = nameAt(tokens, at);
        if (!target) return unknown();
        effects.push({ kind: 'write', verb: 'truncate', table: target.name, cascade });
        at = isSymbol(tokens[target.next], '*') ? target.next + 1 : target.next;
        if (!isSymbol(tokens[at], ',')) return effects;
        at++;
      }
    }
    case 'copy': {
      if (isSymbol(second, '(')) return reading(tokens.slice(2), safe);
      const target = nameAt(tokens, 1);
      if (!target) return unknown();
      const at = isSymbol(tokens[target.next], '(') ? afterParenthesis(tokens, target.next) : target.next;
      return isWord(tokens[at], 'to') ? [] : [{ kind: 'write', verb: 'insert', table: target.name }];
    }
    case 'refresh': {
      const at = tokens.findIndex((token) => isWord(token, 'view'));
      const target = at < 0 ? undefined : nameAt(tokens, isWord(tokens[at + 1], 'concurrently') ? at + 2 : at + 1);
      return target ? [{ kind: 'write', verb: 'update', table: target.name }] : unknown();
    }
    case 'create':
    case 'drop':
    case 'alter':
      return ddl(tokens, safe);
    default:
      return HARMLESS.has(verb) ? [] : unknown();
  }
}

/** What `sql` does, in order; empty when it provably changes no rows. Several statements are several effects. */
export function effects(sql: string, flavour: SqlFlavour, safe: ReadonlySet<string>): readonly Effect[] {
  const tokens = tokenize(sql, flavour);
  if (!tokens) return [{ kind: 'unknown', why: 'unreadable SQL' }];
  return split(tokens).flatMap((part) => effectsOf(part, safe));
}

const REMEMBERED = 1000;
const LONGEST_REMEMBERED = 4000;

/** {@link effects} with a memory: an ORM sends the same few texts again and again. */
export function statementReader(flavour: SqlFlavour, safe: ReadonlySet<string>): (sql: string) => readonly Effect[] {
  const memory = new Map<string, readonly Effect[]>();
  return (sql) => {
    const known = memory.get(sql);
    if (known) return known;
    const found = effects(sql, flavour, safe);
    if (sql.length <= LONGEST_REMEMBERED) {
      const oldest = memory.size >= REMEMBERED ? memory.keys().next().value : undefined;
      if (oldest !== undefined) memory.delete(oldest);
      memory.set(sql, found);
    }
    return found;
  };
}
