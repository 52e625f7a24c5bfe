// Students work through the elements of a material.
import { Router } from 'express';
import type { DataSource } from 'typeorm';
import { onlyFor, viewerOf } from '../auth.js';
import { ElementProgress, Enrolment, Material, MaterialProgress, overallPercent } from '../entities/index.js';
import { forbidden, notFound } from '../problem.js';
import { bodyOf, idOf, integerIn } from './input.js';

const MAX_ELEMENTS = 32_767;

export function progressRoutes(dataSource: DataSource): Router {
  const router = Router();

  router.post('/:materialId', onlyFor('student'), async (req, res) => {
    const studentId = viewerOf(req).id;
    const materialId = idOf(req, 'materialId');
    const body = bodyOf(req, ['element', 'percent']);
    const wanted = integerIn('element', body.element, 1, MAX_ELEMENTS);
    const percent = integerIn('percent', body.percent, 0, 100);
    const progress = await dataSource.transaction(async (manager) => {
      const material = await manager.findOneBy(Material, { id: materialId });
      if (material === null) throw notFound(`material ${materialId}`);
      const element = integerIn('element', wanted, 1, material.elements);
      // Locking the enrolment lets one request of a student at a time compute the mean.
      const enrolment = await manager.findOne(Enrolment, {
        where: { studentId, presentationCode: material.presentationCode },
        lock: { mode: 'pessimistic_write' },
      });
      if (enrolment === null) throw forbidden(`You are not enrolled in ${material.presentationCode}.`);

      const elements = await manager.findBy(ElementProgress, { materialId, studentId });
      const updatedAt = new Date();
      let current = elements.find((one) => one.element === element);
      if (current === undefined) {
        current = manager.create(ElementProgress, { materialId, studentId, element });
        elements.push(current);
      }
      Object.assign(current, { percent, updatedAt });
      await manager.save(current);

      const whole =
        (await manager.findOneBy(MaterialProgress, { materialId, studentId })) ??
        manager.create(MaterialProgress, { materialId, studentId });
      whole.percent = overallPercent(
        elements.map((one) => one.percent),
        material.elements,
      );
      whole.updatedAt = updatedAt;
      return manager.save(whole);
    });
    res.set('Cache-Control', 'no-store').json({
      materialId,
      studentId,
      element: wanted,
      elementPercent: percent,
      materialPercent: progress.percent,
      updatedAt: progress.updatedAt,
    });
  });

  return router;
}
