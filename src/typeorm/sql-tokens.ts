// Cuts SQL text into tokens, so that words inside strings, comments and quoted names are not mistaken for SQL.

export interface Token {
  readonly type: 'word' | 'quoted' | 'string' | 'number' | 'symbol';
  /** Words in lower case; quoted names without their quotes; strings are left out. */
  readonly text: string;
}

export interface SqlFlavour {
  /** `\'` does not end a string. */
  readonly backslashEscapes: boolean;
  /** `[name]` is a quoted name. */
  readonly brackets: boolean;
}

export function flavourOf(driverType: string): SqlFlavour {
  return {
    backslashEscapes: ['mysql', 'mariadb', 'aurora-mysql'].includes(driverType),
    brackets: driverType === 'mssql' || driverType === 'sap',
  };
}

const SPACE = /\s+/y;
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const NUMBER = /\d[\w.]*/y;
const LINE_COMMENT = /--[^\n]*/y;
const DOLLAR_TAG = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;

function match(pattern: RegExp, sql: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0];
}

/** Where the quoted part that begins at `at` ends, or -1 when it does not. A doubled quote stays inside. */
function endOfQuoted(sql: string, at: number, close: string, backslash: boolean): number {
  for (let i = at + 1; i < sql.length; i++) {
    if (backslash && sql[i] === '\\') i++;
    else if (sql[i] === close) {
      if (sql[i + 1] !== close) return i + 1;
      i++;
    }
  }
  return -1;
}

/** Block comments nest in PostgreSQL; elsewhere an inner opening is rare enough to be read as nested too. */
function endOfComment(sql: string, at: number): number {
  let depth = 0;
  for (let i = at; i < sql.length; i++) {
    if (sql.startsWith('/*', i)) {
      depth++;
      i++;
    } else if (sql.startsWith('*/', i)) {
      i++;
      if (--depth === 0) return i + 1;
    }
  }
  return -1;
}

/** The tokens of `sql`, or undefined when it cannot be read with certainty. */
export function tokenize(sql: string, flavour: SqlFlavour): Token[] | undefined {
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    const char = sql[at] as string;
    const skip = match(SPACE, sql, at);
    if (skip !== undefined) {
      at += skip.length;
      continue;
    }
    if (char === '-' && sql[at + 1] === '-') {
      // MySQL wants a blank after the dashes; `5--3` is arithmetic there.
      if (!flavour.backslashEscapes || /\s|$/.test(sql[at + 2] ?? '')) {
        at += (match(LINE_COMMENT, sql, at) as string).length;
        continue;
      }
    }
    if (char === '#' && flavour.backslashEscapes) {
      const end = sql.indexOf('\n', at);
      at = end < 0 ? sql.length : end;
      continue;
    }
    if (char === '/' && sql[at + 1] === '*') {
      if (sql[at + 2] === '!') return undefined; // MySQL executes this "comment"
      const end = endOfComment(sql, at);
      if (end < 0) return undefined;
      at = end;
      continue;
    }
    if (char === "'") {
      const previous = tokens.at(-1);
      const escaped = previous?.type === 'word' && previous.text === 'e' && /[eE]/.test(sql[at - 1] ?? '');
      if (escaped) tokens.pop();
      const end = endOfQuoted(sql, at, "'", flavour.backslashEscapes || escaped);
      if (end < 0) return undefined;
      tokens.push({ type: 'string', text: '' });
      at = end;
      continue;
    }
    if (char === '"' || char === '`' || (char === '[' && flavour.brackets)) {
      const close = char === '[' ? ']' : char;
      const end = endOfQuoted(sql, at, close, false);
      if (end < 0) return undefined;
      tokens.push({ type: 'quoted', text: sql.slice(at + 1, end - 1).replaceAll(close + close, close) });
      at = end;
      continue;
    }
    const dollar = char === '$' ? match(DOLLAR_TAG, sql, at) : undefined;
    if (dollar !== undefined) {
      const end = sql.indexOf(dollar, at + dollar.length);
      if (end < 0) return undefined;
      tokens.push({ type: 'string', text: '' });
      at = end + dollar.length;
      continue;
    }
    const word = match(WORD, sql, at);
    if (word !== undefined) {
      tokens.push({ type: 'word', text: word.toLowerCase() });
      at += word.length;
      continue;
    }
    const number = match(NUMBER, sql, at);
    if (number !== undefined) {
      tokens.push({ type: 'number', text: number });
      at += number.length;
      continue;
    }
    const symbol = sql.startsWith('::', at) ? '::' : char;
    tokens.push({ type: 'symbol', text: symbol });
    at += symbol.length;
  }
  return tokens;
}
