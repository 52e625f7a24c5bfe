// Where the built dashboard lies while this runs from the sources; the build writes this file anew for each format (scripts/build.mjs).
import { join } from 'node:path';

export const DASHBOARD_FOLDER = join(process.cwd(), 'dist/dashboard');
