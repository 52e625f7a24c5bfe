// Compiles src to dist/esm and dist/cjs: `npm run build`.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bin, CommandFailed, node, root } from './lib/run.mjs';

/**
 * Two runs of tsc, side by side. Maps point into src, which is published too.
 * @param {string} [target] cleared first
 */
export async function build(target = join(root, 'dist')) {
  await rm(target, { recursive: true, force: true });
  await mkdir(join(target, 'cjs'), { recursive: true });
  const tsc = [bin('typescript', 'tsc'), '-p', root, '--sourceMap', '--declarationMap', '--outDir'];
  const cjs = ['--module', 'commonjs', '--moduleResolution', 'bundler', '--verbatimModuleSyntax', 'false'];
  await Promise.all([
    node([...tsc, join(target, 'esm')]),
    node([...tsc, join(target, 'cjs'), ...cjs]),
    writeFile(join(target, 'cjs/package.json'), '{"type":"commonjs"}\n'),
  ]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await build();
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
