// The reports of one process, as values and as routes: what the cache under test is asked for.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Agent, createServer, get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import express from 'express';
import { monotonic } from './clock.mjs';
import { Grade, Student } from './entities.mjs';
import { BY_ROUTE, CLASS, GRADES, KINDS, LIST, OWN, STUDENT, WAYS } from './world.mjs';

/**
 * What the live check needs of a cache. The library gives more; the peers are wired to give this much.
 * @typedef {object} CacheUnderTest
 * @property {(request: Request, loader: () => Promise<number[]>) => Promise<number[]>} [getOrLoad]
 * @property {(kind: string) => import('express').RequestHandler} [route]
 * @property {(tags: readonly string[]) => Promise<void>} [wrote] what an application has to say that is not understood
 *   from the data itself; called before the writer is answered
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Request
 * @property {string} kind
 * @property {string} report
 * @property {number} user
 * @property {readonly string[]} tags names like `student:5`
 * @property {readonly string[]} tables
 */

/** One load in so many is held back between its query and its answer: the window in which a write must be missed. */
const SLOW_ONE_IN = 8;
const SLOWEST_MS = 30;

/** Kind, subject and user, in front of the rows of every answer. */
const HEAD = 3;

/** @type {import('express').RequestHandler} */
const passOn = (_req, _res, next) => next();

/** How the read of this asynchronous context came about; filled by the cache's events. */
export const currentRead = /** @type {AsyncLocalStorage<{ way: number }>} */ (new AsyncLocalStorage());

/** @param {number} kind @param {number} subject @param {number} user @returns {Request} */
export function requestFor(kind, subject, user) {
  const id = subject + 1;
  const name = /** @type {string} */ (KINDS[kind]);
  const base = { kind: name, report: `${name}-${kind === LIST ? 'all' : id}`, user };
  switch (kind) {
    case OWN:
      return { ...base, tags: [`grade:${id}`], tables: [] };
    case STUDENT:
      return { ...base, tags: [`student:${id}`], tables: [] };
    case CLASS:
      return { ...base, tags: [`class:${id}`], tables: [] };
    default:
      return { ...base, tags: [], tables: ['grade', 'student'] };
  }
}

/**
 * The queries. Answers are flat lists of row, version, row, version.
 * @param {import('typeorm').DataSource} dataSource
 * @param {{ slow: boolean }} pace
 */
export function createLoaders(dataSource, pace) {
  const students = dataSource.getRepository(Student);

  async function heldBack() {
    if (pace.slow && Math.random() * SLOW_ONE_IN < 1) await pause(1 + Math.random() * (SLOWEST_MS - 1));
  }

  /** @param {number} subject @param {import('typeorm').EntityManager} manager */
  async function own(subject, manager) {
    const grade = await manager.findOne(Grade, { where: { id: subject + 1 } });
    return grade === null ? [] : [subject, grade['version']];
  }

  /** @param {number} subject @param {import('typeorm').EntityManager} manager */
  async function student(subject, manager) {
    /** @type {{ id: number | null, version: number, own: number }[]} */
    const rows = await manager.query(
      `SELECT g.id, g.version, s.version AS own FROM student s LEFT JOIN grade g ON g."studentId" = s.id WHERE s.id = $1`,
      [subject + 1],
    );
    const [first] = rows;
    if (first === undefined) return [];
    return [GRADES + subject, first.own, ...rows.flatMap(({ id, version }) => (id === null ? [] : [id - 1, version]))];
  }

  /** @param {import('typeorm').EntityManager} manager */
  async function list(manager) {
    /** @type {{ row: number, version: number }[]} */
    const rows = await manager.query(
      `SELECT id - 1 AS row, version FROM grade UNION ALL SELECT id - 1 + ${GRADES}, version FROM student`,
    );
    return rows.flatMap(({ row, version }) => [row, version]);
  }

  /**
   * @param {number} kind @param {number} subject
   * @param {(kind: number, subject: number) => Promise<number[]>} cached reads a report through the cache
   * @param {import('typeorm').EntityManager} [manager]
   * @returns {Promise<number[]>}
   */
  return async function load(kind, subject, cached, manager = dataSource.manager) {
    switch (kind) {
      case OWN: {
        const shown = await own(subject, manager);
        await heldBack();
        return shown;
      }
      case STUDENT: {
        const shown = await student(subject, manager);
        await heldBack();
        return shown;
      }
      case CLASS: {
        const members = await students.find({ where: { classId: subject + 1 }, select: { id: true } });
        const shown = (await Promise.all(members.map((one) => cached(STUDENT, one['id'] - 1)))).flat();
        await heldBack();
        return shown;
      }
      default: {
        const shown = await list(manager);
        await heldBack();
        return shown;
      }
    }
  };
}

/**
 * @param {CacheUnderTest} cache
 * @param {ReturnType<typeof createLoaders>} load
 */
export async function openReports(cache, load) {
  /** @param {number} kind @param {number} subject @param {number} user @returns {Promise<number[]>} */
  const value = (kind, subject, user) => {
    const load = () => loaded(kind, subject, user);
    return cache.getOrLoad === undefined ? load() : cache.getOrLoad(requestFor(kind, subject, user), load);
  };

  /** Answers begin with what they answer, so that one given to somebody else is noticed. @param {number} kind @param {number} subject @param {number} user */
  const loaded = async (kind, subject, user) => [
    kind,
    subject,
    user,
    ...(await load(kind, subject, async (inner, of) => (await value(inner, of, user)).slice(HEAD))),
  ];

  const app = express();
  app.set('etag', false);
  for (const [kind, name] of KINDS.entries())
    app.get(`/${name}/:subject`, cache.route?.(name) ?? passOn, (req, res, next) => {
      loaded(kind, Number(req.params['subject']), Number(req.get('x-user'))).then((shown) => res.json(shown), next);
    });
  /** @type {import('express').ErrorRequestHandler} */
  const failed = (error, _req, res, _next) => res.status(500).end(String(error));
  app.use(failed);
  const server = createServer(app);
  server.keepAliveTimeout = 0;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const agent = new Agent({ keepAlive: true, noDelay: true });

  /** @param {number} kind @param {number} subject @param {number} user @returns {Promise<{ shown: number[], way: number }>} */
  const route = (kind, subject, user) =>
    new Promise((resolve, reject) => {
      const path = `/${KINDS[kind]}/${subject}`;
      get({ agent, host: '127.0.0.1', port, path, headers: { 'x-user': String(user) } }, (response) => {
        let text = '';
        response.setEncoding('latin1');
        response.on('data', (chunk) => (text += chunk));
        response.once('error', reject);
        response.once('end', () => {
          if (response.statusCode !== 200) reject(new Error(`${response.statusCode}: ${text.slice(0, 200)}`));
          else resolve({ shown: JSON.parse(text), way: wayOf(response.headers) });
        });
      }).once('error', reject);
    });

  return {
    /** @param {number} kind @param {number} subject @param {number} user @param {number} via */
    async read(kind, subject, user, via) {
      const read = { way: WAYS.indexOf('unknown') };
      const byRoute = cache.getOrLoad === undefined || (via === BY_ROUTE && cache.route !== undefined);
      const answer = byRoute
        ? await route(kind, subject, user)
        : { shown: await currentRead.run(read, () => value(kind, subject, user)), way: read.way };
      const at = monotonic();
      const [ofKind, ofSubject, ofUser] = answer.shown;
      const crossed = ofKind !== kind || ofSubject !== subject || ofUser !== user;
      return { shown: answer.shown.slice(HEAD), way: answer.way, at, crossed };
    },
    value,
    async close() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await cache.close();
    },
  };
}

/** @param {import('node:http').IncomingHttpHeaders} headers */
function wayOf(headers) {
  const status = String(headers['cache-status'] ?? '');
  const name = /; collapsed/.test(status)
    ? 'collapsed'
    : headers['x-cache'] === 'HIT'
      ? (/; detail=(memory|redis)/.exec(status)?.[1] ?? 'unknown')
      : String(headers['x-cache'] ?? 'unknown').toLowerCase();
  return WAYS.indexOf(WAYS.includes(name) ? name : 'unknown');
}
