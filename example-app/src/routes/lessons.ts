// Generated lessons: students and teachers read and vote, teachers have them written anew, administrators choose and remove.
import { createHash } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { onlyFor, viewerOf } from '../auth.js';
import type { Reports, VersionAnswer, VersionListing } from '../cache.js';
import type { Role } from '../entities/index.js';
import { orProblem } from '../lessons/failures.js';
import { type Lesson, type LessonKey, STYLES } from '../lessons/lesson.js';
import { type Lessons, MAX_VERSIONS, subjectOf } from '../lessons/lessons.js';
import { statisticsOf } from '../lessons/statistics.js';
import { notFound, Problem } from '../problem.js';
import { bodyOf, dayFilter, idIn, idOf, textIn, wordIn } from './input.js';

const READERS: readonly Role[] = ['student', 'teacher', 'administrator'];
const VOTERS: readonly Role[] = ['student', 'teacher'];
const EDITORS: readonly Role[] = ['teacher', 'administrator'];

const LESSON = '/:title/:number/:style';
const VOTES = ['up', 'down', 'none'] as const;
const MAX_TITLE = 200;
const MAX_NUMBER = 999;
const MAX_REASON = 500;

export function lessonRoutes(lessons: Lessons, reports: Reports): Router {
  const router = Router();

  router.get('/statistics', onlyFor('administrator'), async (req, res) => {
    const [from, to] = [dayFilter(req, 'from'), dayFilter(req, 'to')];
    const ledger = await reports.costs({ ...(from !== null && { from }), ...(to !== null && { to }) });
    res.set('Cache-Control', 'no-store').json(statisticsOf(ledger));
  });

  router.get(LESSON, onlyFor(...READERS), async (req, res) => {
    const key = keyIn(req);
    sendLesson(res, key, await orProblem(lessons.get(subjectOf(key)), removedMeanwhile()));
  });

  router.delete(LESSON, onlyFor('administrator'), async (req, res) => {
    await lessons.remove(subjectOf(keyIn(req)));
    res.status(204).end();
  });

  router.get(`${LESSON}/versions`, onlyFor(...READERS), async (req, res) => {
    const key = keyIn(req);
    const forEditors = EDITORS.includes(viewerOf(req).role);
    const versions = await lessons.list(subjectOf(key));
    res
      .set('Cache-Control', 'no-store')
      .json({ ...key, versions: versions.map((one) => ({ ...shown(one), ...(forEditors && madeBy(one)) })) });
  });

  router.post(`${LESSON}/versions`, onlyFor(...EDITORS), async (req, res) => {
    const key = keyIn(req);
    const reason = textIn('reason', bodyOf(req, ['reason']).reason, MAX_REASON);
    const asked = lessons.regenerate(subjectOf(key), { reason, by: viewerOf(req).id });
    const answer = await orProblem(asked, noFurther());
    if (answer.joined && answer.reason !== reason) throw anotherWish(answer.version);
    res.status(201).location(`${req.baseUrl}${req.path.replace(/\/$/, '')}/${answer.version}`);
    sendLesson(res, key, answer);
  });

  router.get(`${LESSON}/versions/:version`, onlyFor(...READERS), async (req, res) => {
    const key = keyIn(req);
    const version = idOf(req, 'version');
    sendLesson(res, key, await orProblem(lessons.read(subjectOf(key), version), noVersion(version)));
  });

  router.delete(`${LESSON}/versions/:version`, onlyFor('administrator'), async (req, res) => {
    const version = idOf(req, 'version');
    await orProblem(lessons.remove(subjectOf(keyIn(req)), version), noVersion(version));
    res.status(204).end();
  });

  router.put(`${LESSON}/versions/:version/vote`, onlyFor(...VOTERS), async (req, res) => {
    const subject = subjectOf(keyIn(req));
    const version = idOf(req, 'version');
    const vote = wordIn('vote', bodyOf(req, ['vote']).vote, VOTES);
    const voted = lessons.vote(subject, version, viewerOf(req).id, vote === 'none' ? undefined : vote);
    const { up, down, approved } = await orProblem(voted, noVersion(version));
    res.set('Cache-Control', 'no-store').json({ version, vote, up, down, approved });
  });

  router.put(`${LESSON}/pin`, onlyFor('administrator'), async (req, res) => {
    const subject = subjectOf(keyIn(req));
    const version = idIn('version', bodyOf(req, ['version']).version);
    await orProblem(lessons.pin(subject, version), noVersion(version));
    res.set('Cache-Control', 'no-store').json({ pinned: version });
  });

  router.delete(`${LESSON}/pin`, onlyFor('administrator'), async (req, res) => {
    await lessons.unpin(subjectOf(keyIn(req)));
    res.status(204).end();
  });

  router.post(`${LESSON}/rollback`, onlyFor('administrator'), async (req, res) => {
    const rolled = lessons.rollback(subjectOf(keyIn(req)));
    const pinned = await orProblem(rolled, new Problem(409, 'There is no version before the one that is served.'));
    res.set('Cache-Control', 'no-store').json({ pinned });
  });

  return router;
}

/** Which lesson the path means; two ways of writing the same title are one lesson. */
function keyIn(req: Request): LessonKey {
  const title = String(req.params['title']).normalize().replaceAll(/\s+/gu, ' ').trim();
  if (title === '' || title.length > MAX_TITLE || /[\p{Cc}\p{Cs}]/u.test(title))
    throw wrong('title', `must be a text of 1 to ${MAX_TITLE} characters`);
  const number = idOf(req, 'number');
  if (number > MAX_NUMBER) throw wrong('number', `must be from 1 to ${MAX_NUMBER}`);
  const style = STYLES.find((one) => one === req.params['style']);
  if (style === undefined) throw wrong('style', `must be one of ${STYLES.join(', ')}`);
  return { title, number, style };
}

function wrong(parameter: string, rule: string): Problem {
  return new Problem(400, `${parameter} ${rule}.`, { parameter });
}

const noVersion = (version: number): Problem => notFound(`version ${version} of this lesson`);
const removedMeanwhile = (): Problem => new Problem(409, 'The lesson was removed while you asked. Ask again.');
const noFurther = (): Problem =>
  new Problem(409, `There are ${MAX_VERSIONS} versions already, or the new one was removed at once: see the list.`);

/** One at a time is written of a lesson: who asks meanwhile gets that one, which is not what he has asked for. */
const anotherWish = (version: number): Problem =>
  new Problem(409, `Version ${version} was being written, for another reason. If it will not do, ask again.`, {
    version,
  });

function sendLesson(res: Response, key: LessonKey, answer: VersionAnswer<Lesson>): void {
  const { value, version, cached, source, joined, createdAt, reason } = answer;
  res
    .set({
      // A browser keeps it and asks each time: another version may be served by then, and every reading is counted.
      'Cache-Control': 'private, no-cache',
      ETag: etagOf(key, answer),
      'X-Cache': cached ? 'HIT' : 'MISS',
    })
    .json({
      ...key,
      version,
      cached,
      source: source === 'loader' ? 'writer' : source,
      joined,
      created_at: createdAt.toISOString(),
      ...(reason !== undefined && { reason }),
      lesson: value,
    });
}

/** Weak: the same lesson is the same whether it came from a cache or not. A removed lesson's numbers begin anew, its times do not. */
function etagOf(key: LessonKey, { version, createdAt }: VersionAnswer<Lesson>): string {
  const lesson = JSON.stringify([key, version, createdAt.getTime()]);
  return `W/"${createHash('sha256').update(lesson).digest('base64url').slice(0, 27)}"`;
}

function shown({ version, createdAt, up, down, approved, views, reason, pinned, served }: VersionListing): object {
  const created_at = createdAt.toISOString();
  return { version, created_at, up, down, approved, views, ...(reason !== undefined && { reason }), pinned, served };
}

/** Who had it written, and what that took: for those who may have it written anew. */
function madeBy({ by, cost, computeMs }: VersionListing): object {
  return { ...(by !== undefined && { by: Number(by) }), ...(cost && { cost }), ms: Math.round(computeMs) };
}
