// A project elsewhere that uses the package as an installed dependency, made without network.
import { lstatSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from '../build.mjs';
import { root, run } from './run.mjs';

export const PACKAGE = 'express-report-cache';

/**
 * @typedef {object} Consumer
 * @property {string} folder
 * @property {(files: Readonly<Record<string, string | object>>) => Promise<void>} write objects become JSON
 * @property {() => Promise<void>} remove
 */

/**
 * Every package of the root is linked in, so that whatever a consumer imports is what the lockfile says.
 * @param {(packageFolder: string) => Promise<unknown>} install puts the package's files into the folder
 * @returns {Promise<Consumer>}
 */
export async function makeConsumer(install) {
  const folder = await mkdtemp(join(tmpdir(), 'erc-consumer-'));
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, PACKAGE), { recursive: true });
  for (const name of installedPackages()) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  await install(join(modules, PACKAGE));
  return {
    folder,
    async write(files) {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
      }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Every package but this project's own, which npm links to the workspaces. */
function installedPackages() {
  const modules = join(root, 'node_modules');
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => (name.startsWith('@') ? readdirSync(join(modules, name)).map((sub) => `${name}/${sub}`) : name))
    .filter((name) => !lstatSync(join(modules, name)).isSymbolicLink());
}

/** @param {string} tarball */
export function fromTarball(tarball) {
  return (/** @type {string} */ folder) => run('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
}

/** Compiles the sources as they are now, so that no outdated `dist` is met. @param {string} folder */
export async function fromSources(folder) {
  await Promise.all([build(join(folder, 'dist')), cp(join(root, 'package.json'), join(folder, 'package.json'))]);
}
