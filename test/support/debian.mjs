// Programs of Debian packages, unpacked into `.cache` without root and without starting a service.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isExecutable, messageOf, onPath, run } from './processes.mjs';

const CACHE = join(dirname(fileURLToPath(import.meta.url)), '../../.cache');

/**
 * @typedef {object} Unpacked
 * @property {string} path of the program
 * @property {NodeJS.ProcessEnv} env with which it finds its libraries
 * @property {string} from
 */

/**
 * @param {string} name of its folder in `.cache`
 * @param {string} debianPackage
 * @param {string} program inside the package
 * @returns {Promise<Unpacked>}
 */
export async function unpackedProgram(name, debianPackage, program) {
  const cached = join(CACHE, name);
  if (!existsSync(cached)) await download(cached, name, debianPackage, program);
  return inFolder(cached, name, program);
}

/** @param {string} folder @param {string} name @param {string} program @returns {Unpacked} */
function inFolder(folder, name, program) {
  const libraries = foldersIn(join(folder, 'usr/lib'));
  // Some packages keep libraries of their own one level below, and know them by the path that they have where they are installed.
  const env = { ...process.env, LD_LIBRARY_PATH: [...libraries, ...libraries.flatMap(foldersIn)].join(':') };
  return { path: join(folder, program), env, from: `.cache/${name} (Debian package)` };
}

/** @param {string} folder */
function foldersIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name));
}

/** @param {string} target @param {string} name @param {string} debianPackage @param {string} program */
async function download(target, name, debianPackage, program) {
  for (const tool of ['apt-get', 'dpkg'])
    if (!onPath(tool)) throw new Error(`no ${tool} to fetch ${debianPackage} with`);
  mkdirSync(CACHE, { recursive: true });
  // Made complete under another name first: two test runs may do this at once, and a half-made folder must never be used.
  const work = mkdtempSync(join(CACHE, `${name}-download-`));
  try {
    for (const folder of ['state/lists/partial', 'cache/archives/partial', 'debs', 'unpacked'])
      mkdirSync(join(work, folder), { recursive: true });
    const options = [
      `Dir::State=${work}/state`,
      'Dir::State::status=/var/lib/dpkg/status',
      `Dir::Cache=${work}/cache`,
      'Debug::NoLocking=1',
    ].flatMap((option) => ['-o', option]);
    const apt = (/** @type {string[]} */ ...args) =>
      run('apt-get', [...options, '-qq', ...args], { cwd: join(work, 'debs') });
    await apt('update');
    // Exactly what this machine lacks, whatever the release splits the program into.
    const uris = await apt('--print-uris', '--no-install-recommends', 'install', debianPackage);
    const missing = [...uris.matchAll(/^'[^']+' ([^_\s]+)_/gm)].map((match) => match[1] ?? '');
    await apt('download', ...missing);
    for (const deb of readdirSync(join(work, 'debs')))
      await run('dpkg', ['-x', join(work, 'debs', deb), join(work, 'unpacked')]);
    const { path, env } = inFolder(join(work, 'unpacked'), name, program);
    if (!isExecutable(path)) throw new Error(`the Debian packages hold no ${program}`);
    await run(path, ['--version'], { env });
    if (!existsSync(target)) renameSync(join(work, 'unpacked'), target);
  } catch (error) {
    throw new Error(`the Debian download failed: ${messageOf(error)}`, { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
