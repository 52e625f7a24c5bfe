// The documentation's code compiles, its marked blocks run, and its commands are commands that something runs.
//   ```ts            type-checked against the built package
//   ```ts continued  the same, as one module with the blocks since the last one that is not continued
//   ```ts run        type-checked, then run; must end by itself with exit code 0
//   ```sh            every line is one of test/house/known-commands.ts
//   ```sh run        run in the project's folder
//   ```sh walk       run by test/system/start.test.ts against the started example
// <!-- given (newline) code --> in front of a block is compiled with it: what its reader has already.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fromSources, makeConsumer, type Consumer } from '../../scripts/lib/consumer.mjs';
import { bin } from '../../scripts/lib/run.mjs';
import { KNOWN_COMMANDS } from './known-commands.js';
import { commandsOf, fencedBlocks, moduleOf, type Block } from './markdown.js';
import { root } from './sources.js';

const TIMEOUT_MS = 60_000;
const exec = promisify(execFile);

const blocks = ['README.md', 'example-app/README.md']
  .filter((file) => existsSync(join(root, file)))
  .flatMap((file) => fencedBlocks(readFileSync(join(root, file), 'utf8')).map((block) => ({ file, ...block })));
const shell = blocks.filter((block) => block.language === 'sh');
const modules = modulesOf(blocks);
const runnable = [...modules].filter(([, parts]) => parts.some((block) => block.marks.includes('run')));

describe('TypeScript in the documentation', () => {
  let consumer: Consumer;

  beforeAll(async () => {
    consumer = await makeConsumer(fromSources);
    await consumer.write({ 'package.json': { name: 'reader', private: true, type: 'module' } });
  }, TIMEOUT_MS);
  afterAll(() => consumer.remove());

  it(
    'compiles',
    async () => {
      expect(
        await compile(consumer, Object.fromEntries([...modules].map(([name, parts]) => [name, moduleOf(parts)]))),
      ).toBe('');
    },
    TIMEOUT_MS,
  );

  it(
    'runs where it says so',
    async () => {
      // The compiled files come from the test above.
      const ended = runnable.map(([name]) => runModule(consumer, name).then(() => name));
      expect(await Promise.all(ended)).toHaveLength(runnable.length);
    },
    TIMEOUT_MS,
  );

  it(
    'would be refused with an error, and at its own line',
    async () => {
      const markdown =
        "# a\n\n<!-- given\nimport { tag } from 'express-report-cache/dist/none.js';\n-->\n\n```ts\nconst n: number = 'text';\n```\n";
      const printed = await compile(consumer, { 'wrong.ts': moduleOf(fencedBlocks(markdown)) });
      expect(printed).toMatch(/wrong\.ts\(4,/);
      expect(printed).toMatch(/wrong\.ts\(8,7\).*not assignable to type 'number'/);
    },
    TIMEOUT_MS,
  );
});

describe('commands in the documentation', () => {
  it('are known', () => {
    const plain = shell.filter((block) => !block.marks.includes('run') && !block.marks.includes('walk'));
    expect(plain.flatMap(unknownCommands)).toEqual([]);
  });

  it('name scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const named = [...shell.flatMap(commandsOf), ...Object.keys(KNOWN_COMMANDS)]
      .map((command) => /^npm (?:run )?(\S+)/.exec(command)?.[1] ?? '')
      .filter((word) => !['', 'ci', 'install', 'exec', 'audit'].includes(word));
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it(
    'run where they are marked',
    async () => {
      const marked = shell.filter((block) => block.marks.includes('run'));
      const results = await Promise.all(marked.map((block) => exec('sh', ['-e', '-c', block.code], { cwd: root })));
      expect(results).toHaveLength(marked.length);
    },
    TIMEOUT_MS,
  );
});

// What the finder finds decides whether the tests above test anything.
describe('the finder of blocks', () => {
  const markdown = [
    '# title',
    '<!-- given',
    'const a = 1;',
    '-->',
    '```ts',
    'const b = a;',
    '```',
    '- item',
    '  ```ts continued run',
    '  const c = b;',
    '  ```',
    '```sh',
    '# a comment',
    '$ npm ci   # another',
    'npm run \\',
    '  nonsense',
    '```',
    '````md',
    '```ts',
    'not code',
    '```',
    '````',
  ].join('\n');
  const found = fencedBlocks(markdown);

  it('reads language, marks, lines and what is given', () => {
    expect(found.map(({ language, marks, line, given }) => [language, marks, line, given?.line])).toEqual([
      ['ts', [], 6, 3],
      ['ts', ['continued', 'run'], 10, undefined],
      ['sh', [], 13, undefined],
      ['md', [], 19, undefined],
    ]);
  });

  it('joins continued blocks into one module that keeps the line numbers', () => {
    const joined = modulesOf(found.map((block) => ({ file: 'README.md', ...block })));
    expect([...joined.keys()]).toEqual(['README.md.6.ts']);
    expect(moduleOf(joined.get('README.md.6.ts') ?? []).split('\n')).toEqual([
      '',
      '',
      'const a = 1;',
      '',
      '',
      'const b = a;',
      '',
      '',
      '',
      'const c = b;',
      'export {};',
      '',
    ]);
  });

  it('tells known commands from others', () => {
    expect(found.filter((block) => block.language === 'sh').flatMap(unknownCommands)).toEqual(['npm run nonsense']);
  });
});

function unknownCommands(block: Block): string[] {
  return commandsOf(block).filter((command) => !(command in KNOWN_COMMANDS) && !/^(cd|git clone) /.test(command));
}

/** The TypeScript blocks by module: a continued block belongs to the module of the one before it. */
function modulesOf(all: readonly (Block & { readonly file: string })[]): Map<string, Block[]> {
  const result = new Map<string, Block[]>();
  let name = '';
  for (const block of all) {
    if (block.language !== 'ts') continue;
    if (!block.marks.includes('continued')) name = `${block.file.replaceAll('/', '.')}.${block.line}.ts`;
    result.set(name, [...(result.get(name) ?? []), block]);
  }
  return result;
}

/** What the compiler complains about; the JavaScript is in `out`. */
async function compile(consumer: Consumer, files: Readonly<Record<string, string>>): Promise<string> {
  // TypeScript refuses a project without files.
  await consumer.write({ 'nothing.ts': 'export {};\n', ...files });
  await consumer.write({
    'tsconfig.json': {
      compilerOptions: {
        target: 'ES2022',
        module: 'nodenext',
        strict: true,
        skipLibCheck: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        useDefineForClassFields: false,
        types: ['node'],
        rootDir: '.',
        outDir: 'out',
      },
      files: ['nothing.ts', ...Object.keys(files)],
    },
  });
  try {
    await exec(process.execPath, [bin('typescript', 'tsc'), '-p', consumer.folder], { cwd: consumer.folder });
    return '';
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? error);
  }
}

async function runModule(consumer: Consumer, name: string): Promise<void> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const script = join(consumer.folder, 'out', name.replace(/\.ts$/, '.js'));
  await exec(process.execPath, [script], { cwd: consumer.folder, env, timeout: TIMEOUT_MS / 2 });
}
