// Packages of the application: loaded from where the command is run, then from where it is installed; never needed before.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { failed } from './failures.js';

export interface Host {
  /** @throws failed, which says how to install it */
  load(name: string): unknown;
  /** From its package.json; undefined: it is not there. */
  versionOf(name: string): string | undefined;
}

/** @param folders where to look, in order */
export function hostIn(folders: readonly string[]): Host {
  const requires = folders.map((folder) => createRequire(join(folder, 'package.json')));
  const first = <T>(find: (require: NodeJS.Require) => T): T | undefined => {
    for (const require of requires) {
      try {
        return find(require);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    return undefined;
  };
  return {
    load(name) {
      const found = first((require): unknown => require(name));
      if (found !== undefined) return found;
      throw failed(
        `The package "${name}" is not installed in ${folders[0] ?? 'this folder'}: run this where your application is, or \`npm install ${name}\`.`,
      );
    },
    versionOf(name) {
      const main = first((require) => require.resolve(name));
      return main === undefined ? undefined : versionAbove(main, name);
    },
  };
}

/** Not every package lets its package.json be asked for, so it is looked for above what is loaded. */
function versionAbove(file: string, name: string): string | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { name: found, version } = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>;
    if (found === name && typeof version === 'string') return version;
  }
  return undefined;
}

function isMissing(error: unknown): boolean {
  return Reflect.get(Object(error), 'code') === 'MODULE_NOT_FOUND';
}
