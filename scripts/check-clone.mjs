// Clones the last commit into a new folder and runs .ci/run there, as a first-time contributor would: `npm run check:clone`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './lib/run.mjs';

const folder = mkdtempSync(join(tmpdir(), 'erc-fresh-'));
const show = /** @type {const} */ ({ stdio: 'inherit' });
try {
  const cloned = spawnSync('git', ['clone', '--quiet', root, folder], show);
  // npm tells its children about the project it was called in; a first-time contributor's shell knows nothing of it.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  const checked = cloned.status === 0 ? spawnSync('bash', ['.ci/run'], { ...show, cwd: folder, env }) : cloned;
  process.exitCode = checked.status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
