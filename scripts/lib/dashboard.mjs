// Bundles src/dashboard for browsers: a page, one script and one style sheet under names that change with them.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { root } from './run.mjs';

const SOURCES = join(root, 'src/dashboard');
/** What each format of Node says of itself, in place of src/admin/dashboard-folder.ts. */
const FOLDER = {
  esm: `import { fileURLToPath } from 'node:url';
export const DASHBOARD_FOLDER = fileURLToPath(new URL('../../dashboard', import.meta.url));
`,
  cjs: `'use strict';
Object.defineProperty(exports, '__esModule', { value: true });
exports.DASHBOARD_FOLDER = require('node:path').join(__dirname, '../../dashboard');
`,
};

/** @param {string} target the folder `dist` that holds esm and cjs already */
export async function buildDashboard(target) {
  const folder = join(target, 'dashboard');
  await mkdir(folder, { recursive: true });
  const { metafile } = await build({
    entryPoints: [join(SOURCES, 'dashboard.ts'), join(SOURCES, 'dashboard.css')],
    outdir: folder,
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    metafile: true,
    target: ['es2022', 'safari16'],
    // uPlot, all that comes from elsewhere, is told of in NOTICE.uPlot.txt beside it.
    legalComments: 'none',
    logLevel: 'error',
  });
  const names = Object.keys(metafile.outputs).map((path) => basename(path));
  const named = (/** @type {string} */ end) => names.find((name) => name.endsWith(end)) ?? '';
  const page = await readFile(join(SOURCES, 'index.html'), 'utf8');
  await Promise.all([
    writeFile(
      join(folder, 'index.html'),
      page.replace('dashboard.css', named('.css')).replace('dashboard.js', named('.js')),
    ),
    cp(join(root, 'node_modules/uplot/LICENSE'), join(folder, 'NOTICE.uPlot.txt')),
    ...Object.entries(FOLDER).map(([format, code]) =>
      writeFile(join(target, format, 'admin/dashboard-folder.js'), code),
    ),
  ]);
}
