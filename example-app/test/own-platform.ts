// A platform for one test file, with a database of its own: the embedded server, or a schema of its own on a given one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig } from '../src/config.js';
import { patient } from '../src/demo/patient.js';
import { removeKeys } from '../src/demo/remove-keys.js';
import { type Platform, startPlatform } from '../src/platform.js';

export const START_LIMIT_MS = 60_000;

export class OwnPlatform {
  readonly #schema: string;
  readonly #folder: string;
  #platform: Platform | undefined;

  /** @param name of the test file: no two have the same. */
  constructor(name: string) {
    this.#schema = `report_cache_${name}_${process.pid}`;
    this.#folder = mkdtempSync(join(tmpdir(), `report-cache-${name}-`));
  }

  async start(): Promise<Platform> {
    const env = { DATABASE_URL: process.env['DATABASE_URL'], REDIS_URL: process.env['REDIS_URL'] };
    const config = loadConfig({
      ...env,
      PORT: '0',
      COHORT_STUDENTS: '100',
      EMBEDDED_DIR: this.#folder,
      DATABASE_SCHEMA: this.#schema,
    });
    this.#platform = await startPlatform(config, pino({ level: 'silent' }), patient);
    return this.#platform;
  }

  async end(): Promise<void> {
    const platform = this.#platform;
    if (platform !== undefined) await platform.reports.disconnect(platform.dataSource);
    await platform?.dataSource.query(`DROP SCHEMA "${this.#schema}" CASCADE`);
    await platform?.close();
    rmSync(this.#folder, { recursive: true, force: true });
    if (process.env['REDIS_URL'] !== undefined) await removeKeys(process.env['REDIS_URL'], this.#schema);
  }
}
