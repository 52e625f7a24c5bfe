// The dashboard in a real Chromium, over a real cache: what it shows, what it does, and for whom it can be used.
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { tableTag, tag } from '../../src/index.js';
import { isThereChromium, launchChromium } from '../support/chromium.mjs';
import { HANGS_MS } from '../support/eventually.js';
import { ownNamespace } from '../support/isolation.js';
import { HOSTILE, openSchool, type Opening, type School } from './school.js';

const { source: axe } = createRequire(import.meta.url)('axe-core') as { source: string };
const VIEWS = ['overview', 'reports', 'entries', 'invalidations', 'costs', 'lists', 'operations'];
/** What has to be there before a view is looked at. */
const ROWS: Readonly<Record<string, readonly string[]>> = {
  overview: ['.tile'],
  reports: ['tbody th'],
  entries: ['tbody th'],
  invalidations: ['.happenings li'],
  lists: ['tbody th'],
  operations: ['tbody th'],
};
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

const inBrowser = (await isThereChromium()) ? describe : describe.skip;

inBrowser('the dashboard in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  const closing: (() => unknown)[] = [];
  /** What the browser complains of: errors of the page, and what its Content-Security-Policy forbids. */
  let complaints: string[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    const found = complaints;
    complaints = [];
    if (found.length > 0) throw new Error(`The browser complains:\n${found.join('\n')}`);
  });

  async function stage(opening?: Opening): Promise<School> {
    const made = await openSchool(opening);
    closing.push(() => made.close());
    return made;
  }

  interface Looking {
    readonly role?: string;
    readonly view?: string;
    readonly viewport?: { readonly width: number; readonly height: number };
    readonly colorScheme?: 'light' | 'dark';
  }

  async function look(school: School, { role = 'operator', view = 'overview', ...how }: Looking = {}): Promise<Page> {
    const context = await browser.newContext({
      extraHTTPHeaders: { 'x-user': `7 ${role}` },
      viewport: DESKTOP,
      reducedMotion: 'reduce',
      ...how,
    });
    closing.push(() => context.close());
    context.setDefaultTimeout(HANGS_MS);
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    // Without the slash: the page must find its way whatever was typed.
    await page.goto(`${school.origin}${school.base}#${view}`);
    await page.locator('#connection.live').waitFor();
    return page;
  }

  /** Keeps back the first answer to what is asked from here on, as it was when it was asked for. */
  async function holdFirst(page: Page, url: string) {
    let tellAsked = () => {};
    let letGo = () => {};
    const asked = new Promise<void>((resolve) => (tellAsked = resolve));
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    let isFirst = true;
    await page.route(url, async (route) => {
      if (!isFirst) return route.continue();
      isFirst = false;
      const response = await route.fetch();
      tellAsked();
      await gate;
      return route.fulfill({ response });
    });
    return {
      asked,
      /** Resolves when the page has had it. */
      release: async () => {
        const had = page.waitForEvent('requestfinished', (request) =>
          request.url().includes(url.replace(/^\*+|\?\*$/g, '')),
        );
        letGo();
        await had;
        await page.evaluate('new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))');
      },
    };
  }

  const figure = async (page: Page, tile: string) =>
    Number(await page.locator(`#tile-${tile} data`).getAttribute('value'));

  describe('shows', () => {
    it('the figures of the API, and new ones without being asked', async () => {
      const school = await stage();
      for (const id of [1, 2, 3]) await school.warm(id);
      const page = await look(school);
      const told = async () => (await school.ask('GET', '/stats')).json['total'] as Record<string, number>;
      const total = await told();
      await page.locator('#tile-requests data').waitFor();
      expect({
        hits: await figure(page, 'hits'),
        misses: await figure(page, 'misses'),
        hit_rate: await figure(page, 'hit-rate'),
        total_requests: await figure(page, 'requests'),
      }).toEqual({
        hits: total['hits'],
        misses: total['misses'],
        hit_rate: total['hit_rate'],
        total_requests: total['total_requests'],
      });
      expect(await page.locator('#tile-misses strong').innerText()).toBe('3');
      await school.read(4);
      await page.locator('#tile-misses data[value="4"]').waitFor();
      expect(await page.locator('#health').innerText()).toBe('ready');
    });

    it('each chart as a table of the same figures', async () => {
      const school = await stage();
      await school.warm(1);
      const page = await look(school);
      await page.getByText('Hit rate by type: as a table').click();
      const row = page.locator('.chart table').first().locator('tbody tr').first();
      await row.waitFor();
      const rate = ((await school.ask('GET', '/stats')).json['total'] as { hit_rate: number }).hit_rate;
      const shown = new Intl.NumberFormat('en-US', { style: 'percent', maximumFractionDigits: 1 }).format(rate);
      expect(await row.locator('td').allInnerTexts()).toEqual([shown, shown]);
      const spoken = page.getByRole('img', { name: /^Hit rate by type, last 24 hours/ });
      expect(await spoken.getAttribute('aria-label')).toContain(`Latest: All types ${shown}, analytics ${shown}.`);
    });

    it('an invalidation when it happens: the change, what follows, and how many entries', async () => {
      const school = await stage();
      await school.warm(5);
      const page = await look(school, { view: 'invalidations' });
      await school.reports.invalidate([tableTag('grade'), tag('student', 6), tag('student', 5)], 'grade saved');
      await school.warm(5);
      const row = page.locator('.happenings > li').filter({ hasText: 'grade saved' });
      await row.waitFor();
      expect(await row.locator('.changed code').allInnerTexts()).toEqual(['table:grade']);
      expect(await row.locator('.tags code').allInnerTexts()).toEqual(['student:6', 'student:5']);
      await row.getByRole('button', { name: 'Count entries' }).click();
      await row.locator('.entries data').first().waitFor();
      expect(await row.locator('.entries data').first().getAttribute('value')).toBe('1');
    });

    it('no more than two hundred invalidations, and none twice', async () => {
      const school = await stage();
      for (let at = 0; at < 5; at += 1) await school.reports.invalidate(tag('student', at), 'before');
      const page = await look(school, { view: 'invalidations' });
      await page.locator('.happenings > li').nth(4).waitFor();
      await page.evaluate(`location.hash = 'overview'`);
      await page.evaluate(`location.hash = 'invalidations'`);
      await school.reports.invalidate(tag('student', 9), 'after');
      await page.locator('.happenings > li').filter({ hasText: 'after' }).waitFor();
      expect(await page.locator('.happenings > li').count()).toBe(6);
      for (let round = 0; round < 8; round += 1) {
        for (let at = 0; at < 49; at += 1) await school.reports.invalidate(tag('student', at), 'many');
        await school.reports.invalidate(tag('student', 50), `round ${round}`);
        await page
          .locator('.happenings > li')
          .filter({ hasText: `round ${round}` })
          .waitFor();
      }
      expect(await page.locator('.happenings > li').count()).toBe(200);
    });

    it('entries, page by page, found and sorted, with their details', async () => {
      const school = await stage();
      await school.ask('POST', '/warm', 'operator', {}, { all: true });
      const told = async (query: string) =>
        (await school.ask('GET', `/entries?${query}`)).json as { entries: { key: string }[]; total: number };
      // Charges, by which entries are found, go behind the reader's back.
      while ((await told('limit=1')).total < 120);
      const page = await look(school, { view: 'entries' });
      const keys = () => page.locator('#entries tbody th').allInnerTexts();
      const shows = async (query: string) => {
        const { entries } = await told(query);
        await page.locator('#entries tbody th').filter({ hasText: entries[0]!.key }).first().waitFor();
        expect(await keys()).toEqual(entries.map(({ key }) => key));
      };
      await page.getByText('120 entries').waitFor();
      await page.getByLabel('Sorted by').selectOption('key');
      await shows('sort=key&limit=50');
      expect(await keys()).toHaveLength(50);
      const first = await keys();
      await page.getByRole('button', { name: 'Next page' }).click();
      await page.getByRole('button', { name: 'Previous page' }).waitFor();
      const second = await keys();
      expect(second).toHaveLength(50);
      expect(second.filter((key) => first.includes(key))).toEqual([]);
      await page.getByRole('button', { name: 'Next page' }).click();
      while ((await keys()).length !== 20);
      expect(await page.getByRole('button', { name: 'Next page' }).count()).toBe(0);
      await page.getByRole('button', { name: 'Previous page' }).click();
      while ((await keys()).length !== 50);
      expect(await keys()).toEqual(second);
      // Another search begins at the first page.
      await page.getByLabel('Search in keys').fill('12');
      await page.keyboard.press('Enter');
      const { total } = await told('search=12');
      await page.getByText(`${total} entries`).waitFor();
      await shows('search=12&sort=key&limit=50');
      await page.getByLabel('Search in keys').fill('');
      await page.getByLabel('Tag').fill('student:77');
      await page.keyboard.press('Enter');
      await page.getByText('1 entry', { exact: true }).waitFor();
      await shows('tag=student:77');
      await page.locator('#entries tbody button').click();
      const detail = page.getByRole('dialog', { name: 'Entry' });
      await detail.getByText('student:77').first().waitFor();
      await detail.getByText('fresh', { exact: true }).waitFor();
      expect(await detail.innerText()).not.toContain('marks');
      await detail.getByRole('button', { name: 'Invalidate this entry…' }).click();
      await page
        .getByRole('dialog', { name: 'Invalidate?' })
        .getByRole('button', { name: 'Invalidate', exact: true })
        .click();
      await page.getByText('Nothing is cached that fits.').waitFor();
    });

    it('the answer to what was asked last, whichever comes last', async () => {
      const school = await stage();
      for (const id of [11, 22]) await school.warm(id);
      const page = await look(school, { view: 'entries' });
      await page.getByText('2 entries').waitFor();
      const first = await holdFirst(page, '**/entries?*');
      const search = async (text: string) => {
        await page.getByLabel('Tag').fill(text);
        await page.keyboard.press('Enter');
      };
      await search('student:11');
      await first.asked;
      await search('student:22');
      await page.getByText('1 entry', { exact: true }).waitFor();
      const [shown] = await page.locator('#entries tbody th').allInnerTexts();
      await first.release();
      expect(await page.locator('#entries tbody th').allInnerTexts()).toEqual([shown]);
      expect(shown).toContain('22');
    });

    it('why something is cached, and who or what has ended it', async () => {
      const school = await stage();
      await school.ask('POST', '/warm', 'operator', {}, { reports: [5], type: 'student_progress' });
      const page = await look(school, { view: 'entries' });
      const form = page.getByRole('form', { name: 'Explain' });
      await form.getByLabel('Report type').fill('student_progress');
      await form.getByLabel('Report', { exact: true }).fill('5');
      const explained = page.locator('#explanation');
      const explain = () => form.getByRole('button', { name: 'Explain' }).click();
      await explain();
      await explained.locator('.verdict').filter({ hasText: 'hit It is there, and valid.' }).waitFor();
      await school.reports.invalidate(tag('student', 5), 'grade 17 saved');
      await explain();
      await explained.locator('.verdict').filter({ hasText: 'miss' }).waitFor();
      const ended = await explained.locator('.ended').innerText();
      expect(ended).toContain('Last invalidated under student:5 by “grade 17 saved”');
      await form.getByLabel('Report type').fill('nothing');
      await explain();
      await explained.getByText('There is no report type "nothing".').waitFor();
      expect(complaints.splice(0)).toEqual([expect.stringContaining('400')]);
    });

    it('lists of the application: its title, its columns, page by page, each item as a whole', async () => {
      const page = await look(await stage(), { view: 'lists' });
      const rows = page.locator('#lists tbody tr');
      await page.getByRole('table', { name: 'Lessons in Algebra' }).waitFor();
      expect(await page.locator('#lists thead th').allInnerTexts()).toEqual(['subject', 'hits', 'begins at']);
      expect(await rows.count()).toBe(50);
      await page.getByRole('button', { name: 'Next page' }).click();
      await page.getByRole('button', { name: 'Lesson 51', exact: true }).waitFor();
      expect(await rows.count()).toBe(20);
      await page.getByRole('button', { name: 'Lesson 51', exact: true }).click();
      const detail = page.getByRole('dialog', { name: 'Lessons in Algebra' });
      await detail.getByText('What was learned: Lesson 51').waitFor();
      await page.keyboard.press('Escape');
      await page.getByLabel('List', { exact: true }).selectOption('marks');
      await page.getByRole('table', { name: 'Marks' }).waitFor();
      expect(await page.locator('#lists thead th').allInnerTexts()).toEqual(['id', 'mark']);
      // Begun at its first page, and nothing to be opened.
      expect(await page.locator('#lists tbody button, #lists nav button').count()).toBe(0);
    });

    it('sizes against budgets, as the API tells them', async () => {
      const school = await stage({ cache: { redisMaxBytes: '2mb' } });
      await school.ask('POST', '/warm', 'operator', {}, { all: true });
      const told = async () => (await school.ask('GET', '/stats')).json['redis'] as { bytes: number; entries: number };
      while ((await told()).entries < 120);
      const page = await look(school);
      const bar = page.getByRole('progressbar', { name: /^Redis, all processes/ });
      await bar.waitFor();
      const { bytes } = await told();
      expect([await bar.getAttribute('value'), await bar.getAttribute('max')]).toEqual([
        String(bytes),
        String(2 << 20),
      ]);
      await page.getByText(/of 2.1 MB, 120 entries/).waitFor();
    });

    it('invalidations of another process, once each', async () => {
      const namespace = ownNamespace();
      const school = await stage({ cache: { namespace } });
      const other = await stage({ cache: { namespace } });
      const page = await look(school, { view: 'invalidations' });
      await page.getByText('Nothing was invalidated yet').waitFor();
      const row = (cause: string) => page.locator('.happenings > li').filter({ hasText: cause });
      await other.reports.invalidate(tag('student', 1), 'over there');
      // Seen by the API before it is told to the page.
      while (!JSON.stringify((await school.ask('GET', '/invalidations')).json).includes('over there'));
      await page.evaluate(`location.hash = 'overview'`);
      await page.evaluate(`location.hash = 'invalidations'`);
      await row('over there').waitFor();
      await other.reports.invalidate(tag('student', 2), 'again there');
      // Later, and told earlier: those of this process come at once.
      await school.reports.invalidate(tag('student', 3), 'here');
      await row('here').filter({ hasText: 'student:3' }).waitFor();
      await row('again there').waitFor();
      const causes = await page.locator('.happenings > li .cause').allInnerTexts();
      expect(causes).toEqual(['here', 'again there', 'over there']);
      expect(await page.getByText('Nothing was invalidated yet').isVisible()).toBe(false);
    });

    it('invalidations of one moment by their numbers, whichever is told first', async () => {
      const page = await look(await stage(), { view: 'invalidations' });
      await page.getByText('Nothing was invalidated yet').waitFor();
      const at = '2026-01-05T07:00:00.000Z';
      const told = (seq: number) => ({ epoch: 'e', seq, at, cause: `number ${seq}`, tags: ['student:1'], count: 1 });
      const event = (...seqs: number[]) =>
        `event: invalidation\ndata: ${JSON.stringify({ invalidations: seqs.map(told), more: 0 })}\n\n`;
      await page.route('**/events', (route) =>
        route.fulfill({ contentType: 'text/event-stream', body: event(2) + event(1) + event(3) }),
      );
      await page.reload();
      await page.getByText('number 3').waitFor();
      const causes = await page.locator('.happenings > li .cause').allInnerTexts();
      expect(causes).toEqual(['number 3', 'number 2', 'number 1']);
    });

    it('an empty cache as a beginning, not as a failure', async () => {
      const page = await look(await stage(), { view: 'entries' });
      await page.getByText('Nothing is cached yet.').waitFor();
      await page.evaluate(`location.hash = 'reports'`);
      await page.getByText('Nobody has asked for a report yet.').waitFor();
      await page.evaluate(`location.hash = 'overview'`);
      await page.getByText('Nobody has asked for a report in the last 24 hours.').waitFor();
      expect(await page.locator('.reason, .bad').count()).toBe(0);
    });
  });

  describe('does', () => {
    it('invalidate everything: counted, asked, and only then done', async () => {
      const school = await stage();
      for (const id of [1, 2, 3]) await school.warm(id);
      const counted = async () => (await school.ask('DELETE', '/?dry_run=true')).json['entries'] as { redis: number };
      while ((await counted()).redis !== 3);
      const page = await look(school, { view: 'operations' });
      const purge = page.getByRole('button', { name: 'Invalidate everything…' });
      await purge.click();
      const dialog = page.getByRole('dialog', { name: 'Invalidate everything?' });
      await dialog.waitFor();
      expect(await dialog.locator('data').first().getAttribute('value')).toBe('3');
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      await dialog.waitFor({ state: 'detached' });
      expect((await school.read(1)).headers['x-cache']).toBe('HIT');
      await purge.click();
      await dialog.getByRole('button', { name: 'Invalidate everything' }).click();
      await page.getByText('Everything was invalidated.').waitFor();
      expect((await school.read(1)).headers['x-cache']).toBe('MISS');
    });

    it('invalidate by tags, after the count', async () => {
      const school = await stage();
      for (const id of [1, 2]) await school.warm(id);
      const page = await look(school, { view: 'invalidations' });
      const form = page.getByRole('form', { name: 'Invalidate' });
      await form.getByLabel('What').selectOption('tags');
      await form.getByLabel('Which').fill('student:1 student:77');
      await page.getByRole('button', { name: 'Count, then ask…' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('Under: student:1, student:77').waitFor();
      await dialog.getByRole('button', { name: 'Invalidate' }).click();
      await page.getByText('Who asks next gets it computed anew.').waitFor();
      expect((await school.read(1)).headers['x-cache']).toBe('MISS');
      expect((await school.read(2)).headers['x-cache']).toBe('HIT');
    });

    it('warming: how far it is while it goes on, what came of it, and what failed', async () => {
      const school = await stage();
      const go = school.hold();
      const page = await look(school, { view: 'operations' });
      const form = page.getByRole('form', { name: 'Warm' });
      await form.locator('option[value=student_progress]').waitFor({ state: 'attached' });
      await form.getByLabel('Report', { exact: true }).selectOption('student_progress');
      await form.getByLabel('What').selectOption('reports');
      await form.getByLabel('Which').fill('1 2 404');
      const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/warm'));
      await form.getByRole('button', { name: 'Warm', exact: true }).click();
      expect((await sent).postDataJSON()).toEqual({ type: 'student_progress', reports: ['1', '2', '404'] });
      // The loaders wait: nobody but the stream can have told this.
      await page.getByText('Warming student_progress: 0 of 3').waitFor();
      const runs = page.getByRole('table', { name: 'Latest runs' }).locator('tbody tr');
      await runs.filter({ hasText: 'running' }).waitFor();
      go();
      await page.locator('.warming').getByText('Warmed: 2 of 3 ready, 2 of them computed, 1 failed.').waitFor();
      await runs.filter({ hasText: '2 of 3' }).filter({ hasText: 'done' }).waitFor();
      await page.getByText('student_progress 404 There is no student in Algebra.').waitFor();
      expect((await school.send('GET', '/progress/1', { 'x-user': '9 reader' })).headers['x-cache']).toBe('HIT');
      await form.getByLabel('What').selectOption('user');
      await form.getByLabel('Which').fill('teacher-3');
      await form.getByLabel('Count only').check();
      await form.getByRole('button', { name: 'Warm', exact: true }).click();
      await page.getByText('2 reports would be made ready.').waitFor();
      expect(await runs.count()).toBe(1);
    });

    it('show how a task has ended, also where the answer that it runs comes later', async () => {
      const school = await stage();
      const go = school.hold();
      const page = await look(school, { view: 'operations' });
      const row = page
        .getByRole('table', { name: 'Scheduled tasks' })
        .locator('tbody tr')
        .filter({ hasText: 'report_cards' });
      await row.filter({ hasText: 'never' }).waitFor();
      await school.ask('POST', '/schedule/report_cards/run', 'operator', {}, {});
      await row.filter({ hasText: 'running since' }).waitFor();
      const first = await holdFirst(page, '**/schedule');
      await page.evaluate(`location.hash = 'overview'`);
      await page.evaluate(`location.hash = 'operations'`);
      await first.asked;
      go();
      await row.filter({ hasText: 'done' }).getByRole('button').waitFor();
      await first.release();
      expect(await row.innerText()).toContain('done');
      expect(await row.innerText()).not.toContain('running since');
    });

    it('have a task run now: that it runs, and how it has ended', async () => {
      const school = await stage();
      const go = school.hold();
      const page = await look(school, { view: 'operations' });
      const row = (name: string) =>
        page.getByRole('table', { name: 'Scheduled tasks' }).locator('tbody tr').filter({ hasText: name });
      await row('report_cards').filter({ hasText: '0 3 1 1 * Europe/Berlin' }).filter({ hasText: 'never' }).waitFor();
      await page.getByRole('button', { name: 'Run report_cards now' }).click();
      await row('report_cards').filter({ hasText: 'running since' }).waitFor();
      go();
      await row('report_cards').filter({ hasText: 'done' }).getByRole('button').waitFor();
      await page.getByRole('button', { name: 'Run letters now' }).click();
      await row('letters').filter({ hasText: 'failed, Algebra' }).waitFor();
      const { tasks } = (await school.ask('GET', '/schedule')).json as {
        tasks: { name: string; last: object | null }[];
      };
      expect(tasks.find(({ name }) => name === 'report_cards')?.last).toMatchObject({
        outcome: 'done',
        result: { sent: 120 },
      });
    });

    it('not what its user may not: nothing is offered, and a refusal is told politely', async () => {
      const school = await stage();
      const page = await look(school, { role: 'viewer', view: 'operations' });
      await page.getByText('Your account may look, but change nothing here.').waitFor();
      expect(await page.getByRole('button', { name: 'Invalidate everything…' }).count()).toBe(0);
      const other = await look(school, { view: 'operations' });
      // Rights that were taken away since.
      await other.context().setExtraHTTPHeaders({ 'x-user': '7 viewer' });
      await other.getByRole('button', { name: 'Invalidate everything…' }).click();
      await other.getByText('Your account may not do that.').waitFor();
      expect(complaints.splice(0)).toEqual([expect.stringContaining('403')]);
    });

    it('go on after the connection was lost, with what happened meanwhile', async () => {
      const school = await stage();
      const page = await look(school, { view: 'invalidations' });
      const row = (cause: string) => page.locator('.happenings > li').filter({ hasText: cause });
      school.server.closeAllConnections();
      await page.locator('#connection.lost').waitFor();
      await school.read(1);
      await school.reports.invalidate(tag('student', 1), 'meanwhile');
      await page.locator('#connection.live').waitFor();
      await row('meanwhile').waitFor();
      await school.reports.invalidate(tag('student', 1), 'afterwards');
      await row('afterwards').waitFor();
      expect(await page.locator('.happenings > li').count()).toBe(2);
      await page.evaluate(`location.hash = 'overview'`);
      await page.locator('#tile-misses data[value="1"]').waitFor();
      for (const one of complaints.splice(0))
        expect(one).toMatch(/ERR_(?:INCOMPLETE_CHUNKED_ENCODING|CONNECTION|EMPTY)/);
    });
  });

  describe('is for everybody', () => {
    it.each([
      ['light', 'desktop', DESKTOP],
      ['dark', 'desktop', DESKTOP],
      ['light', 'phone', PHONE],
      ['dark', 'phone', PHONE],
    ] as const)(
      '%s, on a %s: nothing that axe finds, and nothing wider than the screen',
      async (colorScheme, _name, viewport) => {
        const school = await stage();
        await school.warm(1);
        await school.ask('POST', '/warm', 'operator', {}, { all: true });
        await school.reports.invalidate([tableTag('grade'), tag('student', 1)], 'grade saved');
        const page = await look(school, { colorScheme, viewport });
        await page.evaluate(axe);
        const found: string[] = [];
        const check = async (what: string) => {
          const { violations } = (await page.evaluate('axe.run()')) as {
            violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
          };
          found.push(
            ...violations.map(({ id, nodes }) => `${what}: ${id} ${nodes[0]?.html} ${nodes[0]?.failureSummary}`),
          );
          const width = Number(await page.evaluate('document.documentElement.scrollWidth'));
          if (width > viewport.width) found.push(`${what}: ${width} px wide`);
        };
        for (const view of VIEWS) {
          await page.evaluate(`location.hash = '${view}'`);
          await page.locator(`#${view}`).waitFor();
          await page.waitForLoadState('load');
          for (const row of ROWS[view] ?? []) await page.locator(`#${view} ${row}`).first().waitFor();
          await check(view);
          if (view !== 'entries') continue;
          await page.locator('#entries tbody button').first().click();
          await page.getByRole('dialog').getByText('created at').waitFor();
          await check('an entry');
          await page.keyboard.press('Escape');
          await page.getByLabel('Report type', { exact: true }).fill('student_progress');
          await page.getByRole('form', { name: 'Explain' }).getByLabel('Report', { exact: true }).fill('1');
          await page.getByRole('button', { name: 'Explain' }).click();
          await page.locator('#explanation .verdict').waitFor();
          await check('an explanation');
        }
        await page.getByRole('button', { name: 'Invalidate everything…' }).click();
        await page.getByRole('dialog').waitFor();
        await check('dialog');
        expect(found).toEqual([]);
      },
    );

    it('by keyboard alone: to a view, to a dialog, out of it, and back to where it was', async () => {
      const school = await stage();
      await school.warm(1);
      const page = await look(school);
      const focus = () => page.evaluate('document.activeElement.textContent');
      const press = async (key: string, until: string) => {
        for (let at = 0; at < 40; at += 1) {
          await page.keyboard.press(key);
          if (String(await focus()).trim() === until) return;
        }
        throw new Error(`"${until}" cannot be reached by ${key}.`);
      };
      await press('Tab', 'Skip to the content');
      await press('Tab', 'Operations');
      await page.keyboard.press('Enter');
      await page.locator('#operations').waitFor();
      expect(await focus()).toBe('Operations');
      expect(await page.title()).toBe('Operations – Report cache');
      await press('Tab', 'Invalidate everything…');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      expect(await focus()).toBe('Cancel');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await focus()).toBe('Invalidate everything…');
      expect((await school.read(1)).headers['x-cache']).toBe('HIT');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await press('Tab', 'Invalidate everything');
      await page.keyboard.press('Enter');
      await page.getByText('Everything was invalidated.').waitFor();
      expect((await school.read(1)).headers['x-cache']).toBe('MISS');
    });
  });

  describe('is safe', () => {
    it('what people have written stays text, in every view', async () => {
      const school = await stage({ text: HOSTILE });
      await school.warm(encodeURIComponent(HOSTILE));
      await school.reports.invalidate(tag('student', HOSTILE), HOSTILE);
      await school.warm(encodeURIComponent(HOSTILE));
      const held = async () => ((await school.ask('GET', '/entries')).json['entries'] as unknown[]).length;
      while ((await held()) === 0);
      const page = await look(school);
      const written = (place: string) => page.locator(place).filter({ hasText: '<img src=x' }).first().waitFor();
      const go = async (view: string) => {
        await page.evaluate(`location.hash = '${view}'`);
        await page.locator(`#${view}`).waitFor();
      };
      await go('reports');
      await written('#reports th');
      await go('invalidations');
      await written('#invalidations .cause');
      await go('entries');
      await page.getByRole('button', { name: /img%20src/i }).click();
      await page.getByRole('dialog').getByText('created at').first().waitFor();
      await page.keyboard.press('Escape');
      await page.getByLabel('Report type', { exact: true }).fill('student_progress');
      const form = page.getByRole('form', { name: 'Explain' });
      await form.getByLabel('Report', { exact: true }).fill(HOSTILE);
      await school.reports.invalidate(tag('student', HOSTILE), HOSTILE);
      await page.getByRole('button', { name: 'Explain' }).click();
      await page.locator('#explanation .ended').filter({ hasText: '<img src=x' }).waitFor();
      await go('lists');
      await written('#lists caption');
      await page.locator('#lists tbody button').first().click();
      await written('dialog dd');
      await page.keyboard.press('Escape');
      await go('operations');
      await page.getByRole('button', { name: 'Run letters now' }).click();
      await written('#operations td');
      const warm = page.getByRole('form', { name: 'Warm' });
      await warm.getByLabel('What').selectOption('reports');
      await warm.getByLabel('Which').fill('404');
      await warm.getByRole('button', { name: 'Warm', exact: true }).click();
      await written('.failures li');
      expect(await page.locator('img, main script').count()).toBe(0);
      expect(await page.evaluate('globalThis.attacked')).toBeUndefined();
    });

    it('and would not run if it were not: scripts and styles inside the page are refused', async () => {
      const page = await look(await stage());
      await page.evaluate(`{
        const script = document.createElement('script');
        script.textContent = 'globalThis.attacked = 1';
        document.body.append(script);
        document.body.insertAdjacentHTML('beforeend', '<p id="styled" style="color: red">a</p>');
      }`);
      expect(await page.evaluate('globalThis.attacked')).toBeUndefined();
      expect(complaints.splice(0)).toEqual([
        expect.stringContaining('Content Security Policy'),
        expect.stringContaining('Content Security Policy'),
      ]);
    });

    it('nothing is asked of another host', async () => {
      const school = await stage();
      const page = await look(school, { view: 'reports' });
      const hosts = new Set<string>();
      page.on('request', (request) => void hosts.add(new URL(request.url()).origin));
      await page.reload();
      await page.locator('#connection.live').waitFor();
      expect([...hosts].filter((origin) => origin !== 'null')).toEqual([school.origin]);
    });
  });
});
