// Pure: which paths a route takes, for patterns of literal segments and `:name`; no other pattern is understood.

export interface PathPattern {
  /** Of these the ones that are not a `:name`: of two patterns that match, the one with more of them is meant. */
  readonly literals: number;
  /** Values by name; undefined: another path. As Express has it, letters of either case and a slash at the end are alike. */
  match(path: string): Readonly<Record<string, string>> | undefined;
}

const LITERAL = /^[A-Za-z0-9._~@%-]+$/;
const NAME = /^:([A-Za-z_]\w*)$/;

/** @returns undefined for a pattern with anything else in it */
export function parsePattern(pattern: string): PathPattern | undefined {
  const segments = partsOf(pattern);
  if (!segments.every((one) => LITERAL.test(one) || NAME.test(one))) return undefined;
  const literals = segments.filter((one) => LITERAL.test(one)).length;
  return { literals, match: (path) => paramsOf(segments, partsOf(path)) };
}

function paramsOf(segments: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (segments.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, segment] of segments.entries()) {
    const part = parts[at] ?? '';
    const [, name] = NAME.exec(segment) ?? [];
    if (name === undefined) {
      if (segment.toLowerCase() !== part.toLowerCase()) return undefined;
      continue;
    }
    try {
      params[name] = decodeURIComponent(part);
    } catch {
      return undefined;
    }
  }
  return params;
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '');
