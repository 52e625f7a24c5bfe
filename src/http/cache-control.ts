// Cache-Control: text to directives and back (RFC 9111 §5.2).

export interface Directive {
  /** Lower case: names are case-insensitive. */
  readonly name: string;
  /** The argument without its quotes; absent when there was no `=`. */
  readonly value?: string;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Splits a header line into directives. Never throws: a member that is no directive is skipped, and a quote that never
 * closes hides nothing behind it, because a `no-store` that was overlooked costs more than one seen twice.
 */
export function parseCacheControl(line: string): Directive[] {
  const directives: Directive[] = [];
  for (const member of splitMembers(line)) {
    const equals = member.indexOf('=');
    const name = (equals < 0 ? member : member.slice(0, equals)).trim().toLowerCase();
    if (!TOKEN.test(name)) continue;
    directives.push(equals < 0 ? { name } : { name, value: unquote(member.slice(equals + 1).trim()) });
  }
  return directives;
}

export function printCacheControl(directives: readonly Directive[]): string {
  return directives
    .map(({ name, value }) => (value === undefined ? name : `${name}=${quoteIfNeeded(value)}`))
    .join(', ');
}

/** The smallest valid delta-seconds among duplicates (RFC 9111 §4.2.1 allows the strictest); `invalid` when any is not. */
export function secondsOf(directives: readonly Directive[], name: string): number | 'invalid' | undefined {
  let smallest: number | undefined;
  for (const directive of directives) {
    if (directive.name !== name) continue;
    const seconds = parseDeltaSeconds(directive.value);
    if (seconds === undefined) return 'invalid';
    smallest = smallest === undefined ? seconds : Math.min(smallest, seconds);
  }
  return smallest;
}

/** §1.2.2: digits only; what is too large to represent counts as 2^31 seconds. */
export function parseDeltaSeconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), 2 ** 31) : undefined;
}

export function has(directives: readonly Directive[], name: string): boolean {
  return directives.some((directive) => directive.name === name);
}

/** Cuts at the commas outside quoted strings; a quote opens one only where an argument begins. */
function splitMembers(line: string): string[] {
  const members: string[] = [];
  let start = 0;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '"' && line[at - 1] === '=') at = closingQuote(line, at) ?? at;
    else if (line[at] === ',') {
      members.push(line.slice(start, at).trim());
      start = at + 1;
    }
  }
  members.push(line.slice(start).trim());
  return members.filter((member) => member !== '');
}

function closingQuote(line: string, opening: number): number | undefined {
  for (let at = opening + 1; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === '"') return at;
  }
  return undefined;
}

function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"')
    ? text.slice(1, -1).replace(/\\(.)/gs, '$1')
    : text;
}

function quoteIfNeeded(value: string): string {
  return TOKEN.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}
