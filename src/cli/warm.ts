// `warm`: has reports made ready, and shows how far that is.
import type { Clock } from '../contract/clock.js';
import { parseDuration } from '../options/duration.js';
import { ReportCacheError } from '../contract/errors.js';
import type { Command, Given, Running } from './command.js';
import { usageError } from './failures.js';
import { bar, countOf, countText, msText, paint, printable } from './text.js';
import type { Terminal } from './terminal.js';
import type { Answer, Way } from './way.js';

interface Warmed {
  readonly total: number;
  readonly cached: number;
  readonly computed: number;
  readonly failed: number;
  readonly skipped?: number;
  readonly stopped?: string;
  readonly failures?: readonly {
    readonly type: string;
    readonly report: string;
    readonly user?: string;
    readonly reason: string;
  }[];
  readonly ms?: number;
  readonly dry_run?: true;
}

interface Run {
  readonly id: number;
  readonly running: boolean;
  readonly total?: number;
  readonly done: number;
  readonly failed: number;
}

const POLL_MS = 500;
/** Where no line can change a new one is written this seldom. */
const SELDOM = 20;
const FAILURES_SHOWN = 20;

const SELECTIONS = ['report', 'user', 'organization', 'learned', 'all'] as const;

export const warm: Command = {
  summary: 'Makes reports ready before they are asked for',
  ways: ['url'],
  flags: {
    type: { type: 'string', value: '<name>', summary: 'Of a declared report. Default: all that can be warmed so' },
    report: { type: 'string', multiple: true, value: '<id>', summary: 'For all of its readers; repeat it for more' },
    user: { type: 'string', value: '<id>', summary: 'What this user opens first' },
    organization: { type: 'string', value: '<id>', summary: 'What belongs to this organisation' },
    learned: { type: 'boolean', summary: 'What readers asked for in these hours of the week before' },
    all: { type: 'boolean', summary: 'All that are worth having' },
    'fresh-for': { type: 'string', value: '<duration>', summary: 'Compute anew what ends before that, such as 30m' },
    budget: { type: 'string', value: '<duration>', summary: 'Stop after so long. Default: 5m' },
    concurrency: { type: 'string', value: '<n>', summary: 'Computations at the same time. Default: 2' },
    'dry-run': { type: 'boolean', summary: 'Count, and change nothing' },
  },
  notes: ['Ctrl-C ends the waiting, not the run, which belongs to the process that answers.'],
  async run(running) {
    const body = bodyOf(running.given);
    const way = await running.open.one(['url']);
    const answer = await watched(
      way,
      way.ask('POST', '/warm', { body, patient: true, signal: running.signal }),
      running,
    );
    const warmed = answer.body as unknown as Warmed;
    const failed = warmed.failed > 0 || warmed.stopped !== undefined;
    return { document: answer.body, text: (style) => textOf(warmed, (text) => paint(text, 'red', style)), failed };
  },
};

function bodyOf(given: Given): Record<string, unknown> {
  const named = SELECTIONS.filter(
    (one) => given.has(one) || given.text(one) !== undefined || given.texts(one).length > 0,
  );
  if (named.length !== 1) throw usageError(`Name one of ${SELECTIONS.map((one) => `--${one}`).join(', ')}.`);
  const reports = given.texts('report');
  const concurrency = given.text('concurrency');
  if (concurrency !== undefined && !/^\d{1,4}$/.test(concurrency))
    throw usageError('--concurrency takes a whole number.');
  const body: Record<string, unknown> = {
    type: given.text('type'),
    reports: reports.length > 0 ? reports : undefined,
    user: given.text('user'),
    organization: given.text('organization'),
    learned: given.has('learned') || undefined,
    all: given.has('all') || undefined,
    fresh_for_s: secondsOf(given, 'fresh-for'),
    budget_s: secondsOf(given, 'budget'),
    concurrency: concurrency === undefined ? undefined : Number(concurrency),
    dry_run: given.has('dry-run') || undefined,
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function secondsOf(given: Given, name: string): number | undefined {
  const text = given.text(name);
  if (text === undefined) return undefined;
  try {
    return Math.max(1, Math.round(parseDuration(text, `--${name}`) / 1000));
  } catch (error) {
    if (error instanceof ReportCacheError) throw usageError(`--${name} takes a duration such as 30s, 5m or 1h.`);
    throw error;
  }
}

/** Asks how far it is until the answer is there; who cannot be told stays without progress. */
async function watched(way: Way, answer: Promise<Answer>, { terminal, clock, signal }: Running): Promise<Answer> {
  let over = false;
  const ended = answer.finally(() => {
    over = true;
  });
  ended.catch(() => undefined);
  for (let asked = 1; !over; asked += 1) {
    await Promise.race([ended.catch(() => undefined), later(POLL_MS, clock)]);
    if (over) break;
    const runs = await Promise.race([
      ended.then(
        () => undefined,
        () => undefined,
      ),
      way.ask('GET', '/warm', { signal }).catch(() => undefined),
    ]);
    const run = (runs?.body['runs'] as readonly Run[] | undefined)?.find(({ running }) => running);
    if (run !== undefined && !over) showProgress(run, asked, terminal);
  }
  terminal.endLine();
  return ended;
}

function showProgress({ total, done, failed }: Run, asked: number, terminal: Terminal): void {
  const all = total === undefined ? '?' : countText(total);
  const bad = failed > 0 ? `, ${countText(failed)} failed` : '';
  if (terminal.showsProgress) terminal.progress(`${bar(done, total ?? 0, 30)} ${countText(done)} of ${all}${bad}`);
  else if (asked % SELDOM === 0) terminal.tell(`${countText(done)} of ${all}${bad}`);
}

const later = (ms: number, clock: Clock): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });

function textOf(warmed: Warmed, red: (text: string) => string): string {
  const { total, cached, computed, failed, stopped, failures = [], ms } = warmed;
  if (warmed.dry_run) return `${countOf(total, 'report', 'reports')} would be made ready.`;
  const lines = [
    `${countText(cached)} of ${countOf(total, 'report', 'reports')} ready, ${countText(computed)} computed, ${countText(failed)} failed${ms === undefined ? '' : `, in ${msText(ms)}`}.`,
  ];
  if (stopped !== undefined) lines.push(red(`Stopped before the end: ${printable(stopped)}.`));
  for (const { type, report, user, reason } of failures.slice(0, FAILURES_SHOWN))
    lines.push(red(printable(`${type} ${report}${user === undefined ? '' : ` for ${user}`}: ${reason}`)));
  if (failures.length > FAILURES_SHOWN) lines.push(`… and ${countText(failures.length - FAILURES_SHOWN)} more.`);
  return lines.join('\n');
}
