// Compiles src to dist/esm and dist/cjs, and the dashboard to dist/dashboard: `npm run build`.
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildDashboard } from './lib/dashboard.mjs';
import { bin, CommandFailed, node, root } from './lib/run.mjs';

/**
 * Two runs of tsc, side by side. Maps point into src, which is published too. What is there is replaced when all is done: processes
 * that run from it, tests and a platform beside this one, find it at any moment.
 * @param {string} [target]
 */
export async function build(target = join(root, 'dist')) {
  // Beside it, so that the maps lead to the same places.
  const [next, before] = [`${target}.next-${process.pid}`, `${target}.before-${process.pid}`];
  try {
    await compile(next);
    await rename(target, before).catch(() => undefined);
    await rename(next, target);
  } finally {
    for (const folder of [next, before]) await rm(folder, { recursive: true, force: true });
  }
}

/** @param {string} target */
async function compile(target) {
  await mkdir(join(target, 'cjs'), { recursive: true });
  const tsc = [bin('typescript', 'tsc'), '-p', root, '--sourceMap', '--declarationMap', '--outDir'];
  const cjs = ['--module', 'commonjs', '--moduleResolution', 'bundler', '--verbatimModuleSyntax', 'false'];
  await Promise.all([
    node([...tsc, join(target, 'esm')]),
    node([...tsc, join(target, 'cjs'), ...cjs]),
    writeFile(join(target, 'cjs/package.json'), '{"type":"commonjs"}\n'),
  ]);
  await buildDashboard(target);
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
