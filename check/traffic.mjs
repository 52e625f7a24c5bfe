// Readers and graders on two processes at once, until enough reads were judged or the time is over.
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from './http.mjs';
import { LAST_VERSION } from './subjects.mjs';
import { Oracle } from './oracle.mjs';
import { readingsOf } from './reports.mjs';
import { Tally } from './tally.mjs';

const READERS = 24;
const GRADERS = 6;
/** Few enough that the reports of a submission are cached between its grades, at least the popular ones. */
const READS_PER_GRADE = 12;
/** Submissions in play; the others replace those whose versions are used up. */
const IN_PLAY = 48;
/** Share of the grades that go to a submission that a reader is waiting for: its report is being made from old data. */
const OVERTAKING = 0.6;
/** Share of the reads that go to what was graded lately, and of these, to a report that somebody was waiting for then. */
const ABOUT_THE_LATEST = 0.5;
const OVERTAKEN = 0.8;
/** Grades that count as latest: the next one alone would be read before the overtaken report is stored. */
const LATEST = 6;
const WITH_IF_NONE_MATCH = 0.35;
const LONGEST_THOUGHT_MS = 6;
/** Reports that a grader asks for at once, out of those that somebody was waiting for. */
const MOST_JOINED = 3;
/** A control that has shown nothing gets so many times its time: on a busy machine its races are rare. */
const PATIENCE = 4;
/** So many failed requests, and something is wrong that more of them will not tell. */
const MOST_ERRORS = 50;

/** @typedef {import('./subjects.mjs').Subject} Subject */
/** @typedef {import('./reports.mjs').Reading} Reading */
/** @typedef {{ readonly subject: Subject, readonly reading: Reading, readonly url: string }} Read */
/** @typedef {{ next(): number, pick<T>(from: readonly T[]): T }} Random */

/**
 * @param {object} options
 * @param {readonly string[]} options.urls of the two processes
 * @param {readonly Subject[]} options.subjects
 * @param {number} options.reads
 * @param {number} options.seconds
 * @param {boolean} options.control goes on longer while it has shown no stale read
 * @param {Random} options.random
 * @param {AbortSignal} options.signal
 * @param {(tally: Tally) => void} options.onProgress called after every read
 */
export async function drive({ urls, subjects, reads, seconds, control, random, signal, onProgress }) {
  const oracle = new Oracle(subjects.length, LAST_VERSION);
  const readings = readingsOf(subjects);
  const client = createClient();
  const tally = new Tally();
  const started = performance.now();
  const inPlay = subjects.slice(0, IN_PLAY);
  const spare = subjects.slice(IN_PLAY);
  /** In the order of asking. @type {Set<Read>} */
  const waiting = new Set();
  /** The last report of a submission that each process has answered, and so may hold. @type {Map<string, Map<Subject, Read>>} */
  const held = new Map(urls.map((url) => [url, new Map()]));
  /** @type {{ subject: Subject, overtaken: readonly Reading[] }[]} */
  const latest = [];
  let turn = 0;

  const over = () => {
    const patience = control && tally.stale === 0 ? PATIENCE : 1;
    const late = performance.now() - started > seconds * patience * 1000;
    return signal.aborted || tally.reads >= reads * patience || tally.errors >= MOST_ERRORS || late;
  };
  const nextUrl = () => /** @type {string} */ (urls[turn++ % urls.length]);

  /** The browsers' copies, one for each user and address. @type {Map<string, { etag: string, shown: import('./oracle.mjs').Shown[] }>} */
  const copies = new Map();

  /** The square makes the first of the list popular. */
  const choose = () => /** @type {Subject} */ (inPlay[Math.floor(random.next() ** 2 * inPlay.length)]);

  /** @param {Subject} subject @returns {Reading} */
  function chooseReading(subject) {
    const all = readings[subject.index] ?? [];
    let left = random.next() * all.reduce((sum, { weight }) => sum + weight, 0);
    for (const { weight, reading } of all) {
      left -= weight;
      if (left < 0) return reading;
    }
    throw new Error('There is nothing to read.');
  }

  /** @returns {Read} */
  function chooseRead() {
    if (latest.length === 0 || random.next() >= ABOUT_THE_LATEST) {
      const subject = choose();
      return { subject, reading: chooseReading(subject), url: nextUrl() };
    }
    const { subject, overtaken } = random.pick(latest);
    const again = overtaken.length > 0 && random.next() < OVERTAKEN;
    return { subject, reading: again ? random.pick(overtaken) : chooseReading(subject), url: nextUrl() };
  }

  async function readOnce() {
    const read = chooseRead();
    waiting.add(read);
    try {
      await ask(read);
    } finally {
      waiting.delete(read);
    }
  }

  /** @param {Read} read */
  async function ask(read) {
    const { subject, reading, url } = read;
    const name = `${reading.token} ${reading.path}`;
    const copy = random.next() < WITH_IF_NONE_MATCH ? copies.get(name) : undefined;
    const indices = reading.shows.map((one) => one.index);
    const claims = oracle.claims(indices);
    const sentAt = performance.now();
    const answer = await client.ask(url + reading.path, { token: reading.token, etag: copy?.etag });
    const answeredAt = performance.now();
    if (answer.status !== 200 && !(answer.status === 304 && copy !== undefined))
      throw new Error(`${answer.status} for ${name}: ${answer.text.slice(0, 200)}`);
    const shown = answer.status === 304 ? (copy?.shown ?? []) : reading.shown(JSON.parse(answer.text));
    if (answer.status === 200 && answer.etag !== undefined) copies.set(name, { etag: answer.etag, shown });

    held.get(url)?.set(subject, read);

    const verdict = oracle.judge(claims, shown, sentAt, answeredAt);
    tally.reads += 1;
    tally.came(answer);
    if (verdict.inverted) tally.inversions += 1;
    if (verdict.impossible) throw new Error(`A version that nobody gave: ${JSON.stringify(shown)} for ${name}`);
    if (verdict.stale !== undefined) {
      const { ageMs, ageWhenSentMs } = verdict.stale;
      tally.ages.push(ageMs);
      tally.oldestWhenSent = Math.max(tally.oldestWhenSent, ageWhenSentMs);
      tally.note('stale', {
        ...verdict.stale,
        request: name,
        process: urls.findIndex((one) => one === url),
        status: answer.status,
        cache: answer.cacheStatus,
        sentAt,
        answeredAt,
        at: new Date().toISOString(),
      });
    }
    onProgress(tally);
  }

  async function gradeOnce() {
    // The first has waited longest, so its report is one of the slow ones.
    const [longest] = waiting;
    const subject = longest !== undefined && random.next() < OVERTAKING ? longest.subject : choose();
    const version = oracle.begin(subject.index);
    if (version === undefined) return;
    const url = nextUrl();
    let acknowledged = false;
    try {
      const path = `/api/submissions/${subject.assessment}/${subject.student}`;
      const token = `demo-user-${subject.teacher}`;
      const answer = await client.ask(url + path, { token, grade: version / 10 });
      if (answer.status !== 200) throw new Error(`${answer.status} for a grade: ${answer.text.slice(0, 200)}`);
      oracle.acknowledge(subject.index, version, performance.now());
      acknowledged = true;
      tally.grades += 1;
    } finally {
      if (!acknowledged) oracle.abandon(subject.index);
      if (oracle.exhausted(subject.index)) replace(subject);
    }
    const overtaken = [...waiting].filter((read) => read.subject === subject);
    latest.push({ subject, overtaken: overtaken.map(({ reading }) => reading) });
    if (latest.length > LATEST) latest.shift();
    // The grader wants reports at once: those that are being made, which must not be given to him, and one that the
    // other processes have in memory, where the news may still be on its way.
    const elsewhere = urls.flatMap((other) => (other === url ? [] : (held.get(other)?.get(subject) ?? [])));
    await Promise.all([...overtaken.slice(0, MOST_JOINED), ...elsewhere].map(ask));
  }

  /** @param {Subject} subject */
  function replace(subject) {
    const place = inPlay.indexOf(subject);
    const replacement = place < 0 ? undefined : spare.pop();
    if (replacement !== undefined) inPlay[place] = replacement;
  }

  /** @param {() => Promise<void>} work @param {() => boolean} due */
  async function repeat(work, due) {
    while (!over()) {
      try {
        if (due()) await work();
      } catch (error) {
        tally.errors += 1;
        tally.note('error', { message: error instanceof Error ? error.message : String(error) });
      }
      await pause(random.next() * LONGEST_THOUGHT_MS);
    }
  }

  try {
    await Promise.all([
      ...Array.from({ length: READERS }, () => repeat(readOnce, () => true)),
      ...Array.from({ length: GRADERS }, () => repeat(gradeOnce, () => tally.grades * READS_PER_GRADE <= tally.reads)),
    ]);
  } finally {
    client.close();
  }
  return { tally, seconds: (performance.now() - started) / 1000 };
}
