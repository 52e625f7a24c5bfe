// The library's source files as the house rules see them: their text, their imports, and their code without types.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

export interface SourceFile {
  /** Path below src, with `/`. */
  readonly name: string;
  readonly text: string;
  /** What it imports or re-exports, types included: names below src for its own kind, else package names. */
  readonly imports: readonly string[];
  /** What is left at run time: no types, no comments. */
  readonly code: string;
}

/** `from '…'`, `import '…'`, `import('…')` and `require('…')`. */
const SPECIFIER = /(?:(?<=[\s}*])from\s*|(?<![.\w'"])(?:import|require)\s*\(?\s*)(['"])([^'"\n]+)\1/g;

export function readSources(folder = join(root, 'src')): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return toSource(relative(folder, join(folder, file)).replaceAll('\\', '/'), text);
    });
}

/** Also the way in for tests that show a rule a file which breaks it. */
export function toSource(name: string, text: string): SourceFile {
  const imports = specifiersOf(withoutComments(text)).map((specifier) =>
    specifier.startsWith('.') ? below(name, specifier) : specifier,
  );
  return { name, text, imports, code: withoutTypes(text) };
}

export function specifiersOf(code: string): string[] {
  return [...code.matchAll(SPECIFIER)].map((match) => match[2] ?? '');
}

function below(importer: string, specifier: string): string {
  const path = relative('/', resolve('/', dirname(importer), specifier));
  return path.replaceAll('\\', '/').replace(/\.js$/, '.ts');
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}

function withoutTypes(text: string): string {
  return transformSync(text, {
    swcrc: false,
    minify: true,
    module: { type: 'es6' },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript' },
      transform: { verbatimModuleSyntax: true },
      minify: { compress: false, mangle: false, format: { comments: false, beautify: true } },
    },
  }).code;
}
