// Staff write reports about students and send them to those concerned.
import { Router } from 'express';
import { type DataSource, In } from 'typeorm';
import type { Access } from '../access.js';
import { onlyFor, type Viewer, viewerOf } from '../auth.js';
import { Report, REPORT_KINDS, ReportConcern, type ReportKind, type Role, User } from '../entities/index.js';
import { forbidden, invalid } from '../problem.js';
import { bodyOf, idsIn, textIn, wordIn } from './input.js';

const MAX_CONCERNED = 50;
const MAX_TITLE = 200;
const MAX_BODY = 10_000;

/** Who may write which kind; an administrator writes all of them. */
const AUTHORS: Readonly<Record<ReportKind, readonly Role[]>> = {
  general: ['teacher', 'tutor'],
  student: ['teacher', 'tutor'],
  tutor_weekly: ['tutor'],
  teacher_weekly: ['teacher'],
};

export function savedReportRoutes(dataSource: DataSource, access: Access): Router {
  const router = Router();

  /** Colleagues always; students only those whom the author may see. */
  async function checkConcerned(author: Viewer, ids: readonly number[]): Promise<void> {
    const users = await dataSource.getRepository(User).findBy({ id: In([...ids]) });
    const found = new Set(users.map((user) => user.id));
    const unknown = ids.find((id) => !found.has(id));
    if (unknown !== undefined) throw invalid('concerns', `There is no user ${unknown}.`);
    for (const user of users) {
      if (user.role === 'student' && !(await access.student(author, user.id)))
        throw forbidden(`Student ${user.id} is not one of yours.`);
      if (user.role === 'parent' && author.role !== 'administrator')
        throw forbidden(`Parents see reports through their children: name the student instead of user ${user.id}.`);
    }
  }

  router.post('/', onlyFor('teacher', 'tutor', 'administrator'), async (req, res) => {
    const author = viewerOf(req);
    const body = bodyOf(req, ['kind', 'title', 'body', 'concerns']);
    const kind = wordIn('kind', body.kind, REPORT_KINDS);
    const title = textIn('title', body.title, MAX_TITLE);
    const text = textIn('body', body.body, MAX_BODY);
    const concerned = idsIn('concerns', body.concerns ?? [], MAX_CONCERNED);
    if (author.role !== 'administrator' && !AUTHORS[kind].includes(author.role))
      throw forbidden(`A ${author.role} does not write ${kind} reports.`);
    if (kind === 'student' && concerned.length === 0) throw invalid('concerns', 'A student report concerns someone.');
    await checkConcerned(author, concerned);

    const saved = await dataSource.transaction(async (manager) => {
      const report = await manager.save(
        manager.create(Report, { kind, title, body: text, authorId: author.id, createdAt: new Date() }),
      );
      await manager.save(concerned.map((userId) => manager.create(ReportConcern, { reportId: report.id, userId })));
      return report;
    });
    res
      .status(201)
      .set('Cache-Control', 'no-store')
      .location(`${req.baseUrl}/${saved.id}`)
      .json({ id: saved.id, kind, title, author: author.id, concerns: concerned, createdAt: saved.createdAt });
  });

  return router;
}
