// Finds a Chromium for the tests in a browser, or fetches one.
import { chromium } from 'playwright-core';
import { unpackedProgram } from './debian.mjs';
import { messageOf, onPath } from './processes.mjs';

const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

export const CHROMIUM_ADVICE = `The tests of the dashboard need a Chromium. Mend it in one of two ways:
  1. name one:      CHROMIUM_PATH=/usr/bin/google-chrome npm test
  2. install one:   apt-get install --no-install-recommends chromium-headless-shell fonts-dejavu-core`;

/** @returns {Promise<import('./debian.mjs').Unpacked>} */
export async function findChromium() {
  const given = process.env['CHROMIUM_PATH'] || onPath(...NAMES);
  if (given) return { path: given, env: process.env, from: given };
  try {
    const program = 'usr/lib/chromium/chromium-headless-shell';
    return await unpackedProgram('chromium', 'chromium-headless-shell', program);
  } catch (error) {
    throw new Error(`${CHROMIUM_ADVICE}\nTried: none of ${NAMES.join(', ')} is on PATH, and ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Where there is none that is said loudly; the reporter fails the run for skipped tests under CI. */
export async function launchChromium() {
  const { path, env } = await findChromium();
  return chromium.launch({ executablePath: path, env: /** @type {Record<string, string>} */ (env) });
}

/** @returns {Promise<boolean>} whether a browser can be started here */
export async function isThereChromium() {
  try {
    const browser = await launchChromium();
    await browser.close();
    return true;
  } catch (error) {
    console.warn(messageOf(error));
    return false;
  }
}
