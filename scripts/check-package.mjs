// Packs the library and uses it as its users will: `npm run check:package`. Needs `npm run build` before it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fromTarball, makeConsumer, PACKAGE } from './lib/consumer.mjs';
import { bin, node, root, run } from './lib/run.mjs';
import { runStages } from './lib/stages.mjs';
import { provideRedis } from '../test/support/redis-service.mjs';

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));

/** What a user writes: `express-report-cache`, `express-report-cache/testing`, … */
const entries = Object.keys(manifest.exports)
  .filter((path) => !path.endsWith('.json'))
  .map((path) => PACKAGE + path.slice(1));

const work = await mkdtemp(join(tmpdir(), 'erc-package-'));
let tarball = '';
/** @type {string[]} */
let packed = [];
/** @type {import('./lib/consumer.mjs').Consumer | undefined} */
let consumer;

/** @returns {import('./lib/consumer.mjs').Consumer} */
function project() {
  assert(consumer, 'the consumer project is made in the stage "install"');
  return consumer;
}

async function pack() {
  const output = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work]);
  const [result] = JSON.parse(output);
  tarball = join(work, result.filename);
  packed = result.files.map((/** @type {{ path: string }} */ file) => file.path);
  return `${packed.length} files, ${Math.round(result.size / 1024)} KB`;
}

async function contents() {
  const allowed = /^(dist\/(esm|cjs|dashboard)\/|src\/|grafana\/|(README\.md|LICENSE|CHANGELOG\.md|package\.json)$)/;
  assert.deepEqual(
    packed.filter((path) => !allowed.test(path)),
    [],
    'files that do not belong into the package',
  );
  // npm adds the README by itself, if there is one.
  const wanted = [
    'LICENSE',
    'CHANGELOG.md',
    'package.json',
    ...(existsSync(join(root, 'README.md')) ? ['README.md'] : []),
  ];
  const promised = [manifest.main, manifest.types, ...targetsOf(manifest.exports), ...targetsOf(manifest.bin)];
  const missing = [...wanted, ...promised.map((path) => path.replace(/^\.\//, ''))].filter(
    (path) => !packed.includes(path),
  );
  assert.deepEqual(missing, [], 'files that package.json names but the package lacks; was it built?');
}

/** @param {string | object} node of the exports @returns {string[]} */
function targetsOf(node) {
  return typeof node === 'string' ? [node] : Object.values(node).flatMap(targetsOf);
}

async function lintPackage() {
  await Promise.all([
    node([bin('publint'), 'run', tarball, '--strict']),
    // node10 is no resolution of a Node this package supports.
    node([bin('@arethetypeswrong/cli', 'attw'), tarball, '--profile', 'node16', '--no-emoji', '--no-color']),
  ]);
}

async function install() {
  consumer = await makeConsumer(fromTarball(tarball));
  await consumer.write({ 'package.json': { name: 'consumer', private: true } });
}

/** Both formats of each entry load and export the same names. */
async function load() {
  await project().write({
    'load.mjs': `
      import assert from 'node:assert/strict';
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const names = (exports) => Object.keys(exports).filter((name) => name !== '__esModule').sort();
      for (const entry of ${JSON.stringify(entries)}) {
        const required = names(require(entry));
        assert.notEqual(required.length, 0, entry + ' exports nothing');
        assert.deepEqual(names(await import(entry)), required, entry + ': import and require differ');
      }`,
  });
  await node(['load.mjs'], { cwd: project().folder });
}

/** An error thrown by one format is recognised by code that uses the other: by its code, for the classes differ. */
async function errorsAcross() {
  await project().write({
    'errors.mjs': `
      import assert from 'node:assert/strict';
      import { createRequire } from 'node:module';
      import * as esm from '${PACKAGE}';
      const cjs = createRequire(import.meta.url)('${PACKAGE}');
      assert.notEqual(esm.tag, cjs.tag, 'two instances are expected in one process');
      const codes = [esm, cjs].map(({ tag }) => {
        try {
          return tag('not a kind!', 1);
        } catch (error) {
          return [error.name, error.code, typeof error.advice];
        }
      });
      assert.deepEqual(codes, [['ReportCacheError', 'ERC_TAG', 'string'], ['ReportCacheError', 'ERC_TAG', 'string']]);
      assert.equal(esm.tag('student', 7), cjs.tag('student', 7));`,
  });
  await node(['errors.mjs'], { cwd: project().folder });
}

/** Loading an entry loads declared dependencies and nothing else: no peer, installed or not. */
async function loadsNoPeer() {
  const hook = join(root, 'scripts/lib/trace-loads.mjs');
  const allowed = [...Object.keys(manifest.dependencies ?? {}), PACKAGE];
  /** @type {Set<string>} */
  const seen = new Set();
  for (const entry of entries) {
    await project().write({ 'trace.mjs': `await import('${entry}');`, 'trace.cjs': `require('${entry}');` });
    for (const file of ['trace.mjs', 'trace.cjs']) {
      const trace = join(work, 'trace.txt');
      await rm(trace, { force: true });
      await node(['--import', hook, file], { cwd: project().folder, env: { ...process.env, TRACE_LOADS: trace } });
      const loaded = packagesIn(await readFile(trace, 'utf8'));
      assert(loaded.includes(PACKAGE), `the trace of ${file} is empty: the hook does not work`);
      const strangers = loaded.filter((name) => !allowed.includes(name));
      assert.deepEqual(strangers, [], `${entry} (${file}) loads packages that are no dependencies`);
      for (const name of loaded) if (name !== PACKAGE) seen.add(name);
    }
  }
  return seen.size > 0 ? `loads ${[...seen].sort().join(', ')}` : 'loads no other package';
}

/** @param {string} trace */
function packagesIn(trace) {
  const names = trace.split('\n').map((line) => {
    const inside = line.split('node_modules/').at(-1) ?? '';
    // A URL or path counts by its package folder, a request as written; relative and built-in ones are nobody's.
    const name = line.includes('node_modules/') ? inside : line;
    if (name === '' || /^(\.|\/|node:|file:|data:)/.test(name) || isBuiltin(name)) return undefined;
    return name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/');
  });
  return [...new Set(names)].filter((name) => name !== undefined);
}

/** Types for ESM and CJS files, under each module resolution that TypeScript 7 has. */
async function types() {
  const uses = entries.map((entry, index) => `import * as entry${index} from '${entry}';`).join('\n');
  const consumerCode = `
    ${uses}
    import { ReportCacheError, tag } from '${PACKAGE}';
    const names: string[] = [${entries.map((_, index) => `...Object.keys(entry${index})`).join(', ')}];
    export const label: string = tag('student', 7) + names.length;
    export const code = (error: unknown): 'ERC_TAG' | undefined =>
      error instanceof ReportCacheError && error.code === 'ERC_TAG' ? error.code : undefined;
    // @ts-expect-error a tag's id is no object: the types are not any
    tag('student', {});`;
  // skipLibCheck stays off: a declaration that does not compile breaks every user who has it off too.
  const options = { strict: true, noEmit: true, target: 'ES2022', types: ['node'] };
  const modes = [
    { module: 'nodenext', files: ['types.mts', 'types.cts'] },
    { module: 'node16', files: ['types.mts', 'types.cts'] },
    { module: 'preserve', moduleResolution: 'bundler', files: ['types.ts'] },
  ];
  await project().write({ 'types.mts': consumerCode, 'types.cts': consumerCode, 'types.ts': consumerCode });
  for (const { files, ...mode } of modes)
    await project().write({ [`tsconfig.${mode.module}.json`]: { compilerOptions: { ...options, ...mode }, files } });
  await Promise.all(
    modes.map(({ module }) =>
      node([bin('typescript', 'tsc'), '-p', join(project().folder, `tsconfig.${module}.json`)]),
    ),
  );
}

/** Users' Jest runs CommonJS by default, and finds the package through its own resolver. */
async function jestInCommonJs() {
  await project().write({
    'consumer.test.js': `
      const { tag } = require('${PACKAGE}');
      test('the package works in a CommonJS test', () => expect(tag('student', 7)).toBe('student:7'));`,
    'jest.config.json': { testEnvironment: 'node', transform: {} },
  });
  const { NODE_OPTIONS: _, ...env } = process.env;
  await node([bin('jest'), '--config', 'jest.config.json'], { cwd: project().folder, env });
}

/** The command as npx finds it: by the link that npm makes of `bin`. Its exit codes are part of what it promises. */
async function command() {
  const { folder } = project();
  const { [PACKAGE]: target } = manifest.bin;
  const installed = join(folder, 'node_modules', PACKAGE, target);
  const link = join(folder, 'node_modules/.bin', PACKAGE);
  await mkdir(dirname(link), { recursive: true });
  await symlink(relative(dirname(link), installed), link);
  await chmod(installed, 0o755);
  /** @param {string[]} args */
  const npx = (...args) => run('npx', [PACKAGE, ...args], { cwd: folder });
  assert.match(await npx('--help'), /^Usage: express-report-cache <command>/);
  const redis = await provideRedis();
  try {
    await assert.rejects(npx('doctor', '--redis', redis.url, '--namespace', 'erc-nobody'), (error) => {
      const { message } = /** @type {Error} */ (error);
      assert.match(message, /ended with 1$/m);
      assert.match(message, /\[redis-reachable\][\s\S]*\[namespace-empty\]/);
      return true;
    });
  } finally {
    await redis.stop();
  }
}

try {
  const succeeded = await runStages([
    ['pack', pack],
    ['contents', contents],
    ['lint', lintPackage],
    ['install', install],
    ['load', load],
    ['errors', errorsAcross],
    ['peers', loadsNoPeer],
    ['types', types],
    ['jest', jestInCommonJs],
    ['command', command],
  ]);
  if (!succeeded) process.exitCode = 1;
} finally {
  await consumer?.remove();
  await rm(work, { recursive: true, force: true });
}
