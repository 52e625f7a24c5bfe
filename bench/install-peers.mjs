// Installs the caches of peers/ as its lock file names them, on the first run and when the lock has changed.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('peers/', import.meta.url));
const installed = `${folder}node_modules/.package-lock.json`;

/** @throws what npm says, where there is no network. */
export function installPeers() {
  const upToDate =
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${folder}package-lock.json`).mtimeMs;
  if (upToDate) return;
  console.error('Installing the other caches into bench/peers …');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
}

/** @returns the versions that package.json pins, by name */
export function peerVersions() {
  return JSON.parse(readFileSync(`${folder}package.json`, 'utf8')).dependencies;
}
