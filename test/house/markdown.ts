// Finds the fenced code blocks of a Markdown file, with what their author marked.
export interface Block {
  /** First word behind the fence, e.g. `ts`. */
  readonly language: string;
  /** The other words, e.g. `run`. */
  readonly marks: readonly string[];
  /** Line of its first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  /** What a reader need not see but the compiler must: the HTML comment `<!-- given … -->` in front of the block. */
  readonly given: { readonly line: number; readonly code: string } | undefined;
}

const FENCE = /^( {0,3})(`{3,})([^\n`]*)\n([\s\S]*?)\n? {0,3}\2`* *$/gm;
const GIVEN = /<!-- given\n([\s\S]*?)\n?-->\s*$/;

export function fencedBlocks(markdown: string): Block[] {
  let behind = 0;
  return [...markdown.matchAll(FENCE)].map((match) => {
    const [whole, indent = '', , info = '', body = ''] = match;
    const [language = '', ...marks] = info.trim().split(/\s+/);
    const before = markdown.slice(behind, match.index);
    const given = GIVEN.exec(before);
    const givenStart = behind + (given?.index ?? 0);
    behind = match.index + whole.length;
    return {
      language,
      marks,
      line: lineAt(markdown, match.index) + 1,
      code: indent === '' ? body : body.replaceAll(new RegExp(`^ {0,${indent.length}}`, 'gm'), ''),
      given: given ? { line: lineAt(markdown, givenStart) + 1, code: given[1] ?? '' } : undefined,
    };
  });
}

/** The commands of a shell block, one string each: no comments, no prompts, continued lines joined. */
export function commandsOf(block: Block): string[] {
  return block.code
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) =>
      line
        .replace(/^\$ /, '')
        .replace(/(^|\s+)#.*$/, '')
        .trim(),
    )
    .filter(Boolean);
}

/**
 * The blocks as one module in which every line keeps its number in the Markdown file, so that a compiler's complaint
 * points there.
 */
export function moduleOf(blocks: readonly Block[]): string {
  const lines: string[] = [];
  const place = (line: number, code: string): void => {
    code.split('\n').forEach((text, index) => (lines[line - 1 + index] = text));
  };
  for (const block of blocks) {
    if (block.given) place(block.given.line, block.given.code);
    place(block.line, block.code);
  }
  // A file without import or export would be a script that shares its names with every other block.
  return `${Array.from(lines, (text) => text ?? '').join('\n')}\nexport {};\n`;
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
