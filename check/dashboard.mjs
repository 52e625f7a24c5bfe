// Does the dashboard stay light? A page open over a large, busy cache: `npm run check:dashboard -- [folder for screenshots]`.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { launchChromium } from '../test/support/chromium.mjs';
import { startRedis } from '../test/support/redis-service.mjs';

const PER_MINUTE = 10_000;
/** No command of the dashboard may keep Redis from its readers for longer, ms. */
const LONGEST_COMMAND_MS = 5;
const SLOW_FROM_US = 500;
const MOST_SLOW = 20_000;
/** While the load runs a second page has the largest entries listed, which goes through all of the index. */
const LIST_EVERY_MS = 5000;
const VIEWS = ['overview', 'reports', 'entries', 'invalidations', 'costs', 'lists', 'operations'];
const SCREENS = /** @type {const} */ ({ desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } });
const MB = 1 << 20;

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    entries: { type: 'string', default: '100000' },
  },
  allowPositionals: true,
});
process.exitCode = await check(Number(values.seconds), Number(values.entries), positionals[0]);

/** @param {number} seconds @param {number} entries @param {string | undefined} folder @returns {Promise<number>} the exit code */
async function check(seconds, entries, folder) {
  const server = await startRedis({
    args: ['--slowlog-log-slower-than', String(SLOW_FROM_US), '--slowlog-max-len', String(MOST_SLOW)],
  });
  const pinned = pin(server.pid);
  const redis = new Redis(server.url);
  const over = new AbortController();
  const school = fork(fileURLToPath(new URL('dashboard/school.mjs', import.meta.url)), {
    env: { ...process.env, CHECK_REDIS: server.url },
  });
  const told = async () => {
    const died = once(school, 'exit', { signal: over.signal }).then(() =>
      Promise.reject(new Error('The school has ended.')),
    );
    died.catch(() => undefined);
    return (await Promise.race([once(school, 'message'), died]))[0];
  };
  const ask = async (/** @type {string} */ question, number = 0) => {
    school.send({ ask: question, number });
    return told();
  };
  const hello = told();
  hello.catch(() => undefined);
  const browser = await launchChromium();
  try {
    const { url } = await hello;
    if (folder !== undefined) await photograph(browser, url, join(resolve(folder), 'empty'));
    await ask('fill', entries);
    await redis.call('SLOWLOG', 'RESET');
    await ask('begin', PER_MINUTE);
    await pause(seconds * 1000);
    await ask('end');
    const unwatched = await slowest(redis);
    await redis.call('SLOWLOG', 'RESET');
    const figures = await watch(browser, url, ask, seconds);
    const watched = await slowest(redis);
    const verdict = judged(unwatched, watched, figures['errors on the page']);
    if (folder !== undefined) {
      await act(url);
      await photograph(browser, url, resolve(folder));
    }
    const table = {
      entries: await redis.zcard('{dashboard}:b'),
      ...figures,
      'Redis, nobody watches': unwatched.text,
      'Redis, two pages open': watched.text,
      'load average of the machine': loadavg()
        .map((load) => load.toFixed(1))
        .join(', '),
      cores: pinned,
      criterion: `no command of the dashboard of more than ${LONGEST_COMMAND_MS} ms, and no errors: ${verdict}`,
    };
    for (const [name, figure] of Object.entries(table)) console.log(`${name.padEnd(34)} ${figure}`);
    return verdict === 'met' ? 0 : 1;
  } finally {
    await browser.close();
    over.abort();
    if (school.connected) school.disconnect();
    redis.disconnect();
    await server.kill();
  }
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 * @param {(question: string, number?: number) => Promise<any>} ask
 * @param {number} seconds
 */
async function watch(browser, url, ask, seconds) {
  const page = await browser.newPage({ viewport: SCREENS.desktop });
  let errors = 0;
  page.on('pageerror', () => (errors += 1));
  page.on('console', (message) => (errors += message.type() === 'error' ? 1 : 0));
  const tools = await page.context().newCDPSession(page);
  let [heard, messages] = [0, 0];
  await tools.send('Network.enable');
  tools.on('Network.eventSourceMessageReceived', ({ eventName, data }) => {
    heard += eventName.length + data.length + 16;
    messages += 1;
  });
  await page.goto(`${url}#overview`);
  await page.locator('#connection.live').waitFor();
  const loaded = await page.evaluate(`performance.getEntriesByType('navigation')[0].loadEventEnd`);
  await page.evaluate(`{
    const frames = (globalThis.frames_ = []);
    let last = performance.now();
    const next = (now) => { frames.push(now - last); last = now; requestAnimationFrame(next); };
    requestAnimationFrame(next);
    globalThis.long_ = [];
    new PerformanceObserver((list) => long_.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  }`);
  const heap = async () => {
    await tools.send('HeapProfiler.collectGarbage');
    return (await tools.send('Runtime.getHeapUsage')).usedSize;
  };
  await ask('begin', PER_MINUTE);
  const listing = await listAgainAndAgain(browser, url);
  await pause(3000);
  const before = await heap();
  [heard, messages] = [0, 0];
  const frames = /** @type {Record<string, number[]>} */ ({});
  const began = performance.now();
  for (const view of ['invalidations', 'overview']) {
    await page.evaluate(`location.hash = '${view}'; frames_.length = 0`);
    await pause((seconds * 1000) / 2);
    frames[view] = await page.evaluate('[...frames_]');
  }
  const minutes = (performance.now() - began) / 60_000;
  const [bytes, events] = [heard, messages];
  const rows = await page.locator('.happenings > li').count();
  const after = await heap();
  const { invalidated, rss } = await ask('end');
  const listed = await listing.end();
  const long = /** @type {number[]} */ (await page.evaluate('long_'));
  await page.close();
  return {
    'page loaded after, ms': Math.round(Number(loaded)),
    'invalidations sent': invalidated,
    ...Object.fromEntries(
      Object.entries(frames).map(([view, times]) => [`frames of ${view}, p50/p99/max ms`, spread(times)]),
    ),
    'tasks of more than 50 ms': `${long.length}, the longest ${Math.round(Math.max(0, ...long))} ms`,
    'heap of the page, MB': `${(before / MB).toFixed(1)} to ${(after / MB).toFixed(1)}`,
    'rows of the live list': rows,
    'events, KB a minute': `${Math.round(bytes / 1024 / minutes)} in ${Math.round(events / minutes)} messages`,
    'lists of entries, p50/p99/max ms': spread(listed, 'lists'),
    'memory of the server, MB': Math.round(rss / MB),
    'errors on the page': errors,
  };
}

/**
 * The largest entries, in a page of their own.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 */
async function listAgainAndAgain(browser, url) {
  const page = await browser.newPage({ viewport: SCREENS.desktop });
  await page.goto(`${url}#entries`);
  await page.locator('#entries tbody th').first().waitFor();
  await page.getByLabel('Order').selectOption('desc');
  const times = /** @type {number[]} */ ([]);
  let over = false;
  const list = async () => {
    await page.getByLabel('Sorted by').selectOption('bytes');
    while (!over) {
      const began = performance.now();
      const answered = page.waitForResponse(/entries\?.*sort=bytes/);
      await page.getByRole('button', { name: 'Search' }).click();
      await (await answered).finished();
      times.push(performance.now() - began);
      await pause(LIST_EVERY_MS);
    }
  };
  const going = list();
  return {
    async end() {
      over = true;
      await going;
      await page.close();
      return times;
    },
  };
}

/**
 * Redis tells how long its commands took by the clock on the wall, also while others had its core: so it gets one for itself.
 * @param {number} pid of Redis @returns {string} what came of it
 */
function pin(pid) {
  const cores = availableParallelism();
  if (cores < 2) return 'one: what others do counts as time of Redis';
  const rest = cores === 2 ? '1' : `1-${cores - 1}`;
  try {
    for (const [where, whose] of [
      ['0', pid],
      [rest, process.pid],
    ])
      execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(where), String(whose)], { stdio: 'pipe' });
    return `${cores}: Redis has the first, and all else of this check the others`;
  } catch {
    return `${cores}, and no taskset to share them out: what others do may count as time of Redis`;
  }
}

/** @param {number[]} times @param {string} [what] */
function spread(times, what = 'frames') {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (/** @type {number} */ share) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  return `${at(0.5)} / ${at(0.99)} / ${at(1)} (${sorted.length} ${what})`;
}

/**
 * The longest commands since the log was emptied, of all and of what is asked for the sake of the dashboard alone.
 * @param {Redis} redis
 */
async function slowest(redis) {
  const log = /** @type {[number, number, number, string[]][]} */ (
    await redis.call('SLOWLOG', 'GET', String(MOST_SLOW))
  );
  const longest = (/** @type {typeof log} */ commands) =>
    commands.reduce((found, [, , us, [name = '']]) => (us / 1000 > found.ms ? { ms: us / 1000, name } : found), {
      ms: 0,
      name: '',
    });
  const own = log.filter(([, , , command]) => isForDashboard(command));
  const told = (/** @type {{ ms: number, name: string }} */ { ms, name }) =>
    ms === 0 ? `none of more than ${SLOW_FROM_US / 1000} ms` : `${ms.toFixed(2)} ms (${name})`;
  const [ofAll, ofOwn] = [longest(log), longest(own)];
  const over = own.filter(([, , us]) => us / 1000 > LONGEST_COMMAND_MS).length;
  const text = `longest of all: ${told(ofAll)}; of the dashboard: ${told(ofOwn)}, ${over} of more than ${LONGEST_COMMAND_MS} ms`;
  return { ownMs: ofOwn.ms, allMs: ofAll.ms, text };
}

/**
 * Where Redis is kept waiting for its core also while nobody watches, no command of the page can be blamed for that.
 * @param {{ allMs: number }} unwatched @param {{ ownMs: number }} watched @param {number} errors
 */
function judged(unwatched, watched, errors) {
  if (errors > 0) return 'MISSED';
  if (watched.ownMs <= LONGEST_COMMAND_MS) return 'met';
  return unwatched.allMs >= watched.ownMs
    ? 'NOT TO BE TOLD HERE, since others take as long while nobody watches: the machine has other work'
    : 'MISSED';
}

/** Counts of the day, the index, guards, tags, the log of invalidations: readers have scripts, and the fields of one entry. */
function isForDashboard([name = '', key = '', ...more] = /** @type {string[]} */ ([])) {
  if (/:n:\d/.test(key)) return name === 'HGETALL';
  if (name === 'HMGET') return /:[tx]$/.test(key) || (more.length === 1 && more[0] === 'g');
  return /^(?:ZRANGEBYSCORE|ZREVRANGEBYSCORE|ZCARD|ZSCORE|XREVRANGE|HSTRLEN)$/.test(name);
}

/**
 * Something for the last views to show.
 * @param {string} url
 */
async function act(url) {
  for (const [path, body] of /** @type {const} */ ([
    ['warm', { all: true }],
    ['schedule/report_cards/run', {}],
  ]))
    await fetch(new URL(path, url), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
}

/** @param {import('playwright-core').Browser} browser @param {string} url @param {string} folder */
async function photograph(browser, url, folder) {
  await mkdir(folder, { recursive: true });
  for (const colorScheme of /** @type {const} */ (['light', 'dark']))
    for (const [screen, viewport] of Object.entries(SCREENS)) {
      const page = await browser.newPage({ viewport, colorScheme });
      await page.goto(url);
      await page.locator('#connection.live').waitFor();
      for (const view of VIEWS) {
        await page.evaluate(`location.hash = '${view}'`);
        await page.waitForLoadState('networkidle', { timeout: 1500 }).catch(() => undefined);
        await pause(300);
        await page.screenshot({ path: join(folder, `${view}-${colorScheme}-${screen}.png`), fullPage: true });
      }
      await page.close();
    }
}
