// Students hand work in, teachers grade it.
import { Router } from 'express';
import type { DataSource } from 'typeorm';
import { onlyFor, viewerOf } from '../auth.js';
import { Assessment, Enrolment, Submission } from '../entities/index.js';
import { forbidden, notFound, Problem } from '../problem.js';
import { bodyOf, idOf, integerIn, numberIn } from './input.js';

const EARLIEST_DAY = -30;
const DAYS_AFTER_THE_END = 60;

function shown(submission: Submission): object {
  const { assessmentId, studentId, submittedDay, score, gradedById, gradedAt } = submission;
  return { assessmentId, studentId, submittedDay, score, gradedBy: gradedById, gradedAt };
}

export function submissionRoutes(dataSource: DataSource): Router {
  const router = Router();

  router.put('/:assessmentId/:studentId', onlyFor('teacher', 'administrator'), async (req, res) => {
    const viewer = viewerOf(req);
    const assessmentId = idOf(req, 'assessmentId');
    const studentId = idOf(req, 'studentId');
    const score = numberIn('score', bodyOf(req, ['score']).score, 0, 100);
    const graded = await dataSource.transaction(async (manager) => {
      const assessment = await manager.findOne(Assessment, {
        where: { id: assessmentId },
        relations: { presentation: true },
      });
      if (assessment === null) throw notFound(`assessment ${assessmentId}`);
      if (viewer.role === 'teacher' && assessment.presentation?.teacherId !== viewer.id)
        throw forbidden(`You do not teach ${assessment.presentationCode}.`);
      const submission = await manager.findOne(Submission, {
        where: { assessmentId, studentId },
        lock: { mode: 'pessimistic_write' },
      });
      if (submission === null) throw notFound(`submission of student ${studentId} for assessment ${assessmentId}`);
      submission.score = score;
      submission.gradedById = viewer.id;
      submission.gradedAt = new Date();
      // The loaded entity is saved: the cascade then knows exactly which row changed, and how.
      return manager.save(submission);
    });
    res.set('Cache-Control', 'no-store').json(shown(graded));
  });

  router.post('/:assessmentId', onlyFor('student'), async (req, res) => {
    const studentId = viewerOf(req).id;
    const assessmentId = idOf(req, 'assessmentId');
    const given = bodyOf(req, ['day']).day;
    const handedIn = await dataSource.transaction(async (manager) => {
      const assessment = await manager.findOne(Assessment, {
        where: { id: assessmentId },
        relations: { presentation: true },
      });
      if (assessment === null) throw notFound(`assessment ${assessmentId}`);
      const latest = (assessment.presentation?.lengthDays ?? 0) + DAYS_AFTER_THE_END;
      // The presentations of the data set are history, so today is not a day of theirs.
      const submittedDay = given === undefined ? assessment.dueDay : integerIn('day', given, EARLIEST_DAY, latest);
      // The lock lets one submission of a student through at a time: save() would turn the second of two into an
      // update, and wipe out a grade given in between.
      const enrolment = await manager.findOne(Enrolment, {
        where: { studentId, presentationCode: assessment.presentationCode },
        lock: { mode: 'pessimistic_write' },
      });
      if (enrolment === null) throw forbidden(`You are not enrolled in ${assessment.presentationCode}.`);
      if (await manager.existsBy(Submission, { assessmentId, studentId }))
        throw new Problem(409, 'You have already submitted this assessment.');
      const ungraded = { banked: false, score: null, gradedById: null, gradedAt: null };
      return manager.save(manager.create(Submission, { assessmentId, studentId, submittedDay, ...ungraded }));
    });
    res.status(201).set('Cache-Control', 'no-store').json(shown(handedIn));
  });

  return router;
}
