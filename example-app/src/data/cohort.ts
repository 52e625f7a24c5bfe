// Generates a cohort with the shape of the Open University data, for machines that do not have the files.
import { ACTIVITIES, BANDS, EDUCATION, REGIONS, SHAPES } from './cohort-shape.js';
import {
  type AssessmentRow,
  type Dataset,
  DEMO_NEIGHBOUR,
  DEMO_STUDENT,
  type EnrolmentRow,
  type MaterialRow,
  startOf,
  type SubmissionRow,
} from './dataset.js';
import { createRandom, type Random } from './random.js';

const MATERIALS_PER_PRESENTATION = 60;
const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

export const cohortSource = (students: number, seed: number): string => `cohort seed=${seed} students=${students}`;

/** The result follows from the marks, with the share of withdrawals of the original. */
function outcome(random: Random, marks: readonly number[], withdrew: boolean, faded: boolean): string {
  if (withdrew) return 'Withdrawn';
  const mean = marks.length > 0 ? marks.reduce((sum, mark) => sum + mark, 0) / marks.length : 0;
  if (faded || mean < 50 + random.between(0, 15)) return 'Fail';
  return mean > 84 + random.between(0, 8) ? 'Distinction' : 'Pass';
}

/**
 * @param students about how many; every presentation gets its share, but at least two.
 * @param seed the same seed gives the same cohort.
 */
export function generateCohort(students: number, seed: number): Dataset {
  const random = createRandom(seed);
  const assessments: AssessmentRow[] = [];
  const materials: MaterialRow[] = [];
  const enrolments: EnrolmentRow[] = [];
  const submissions: SubmissionRow[] = [];
  let studentId = DEMO_STUDENT;
  let assessmentId = 1752;
  let materialId = 540_001;

  for (const shape of SHAPES) {
    const code = `${shape.module}-${shape.run}`;
    const work = shape.work.map(([type, dueDay, weight]) => ({
      id: assessmentId++,
      presentationCode: code,
      type,
      dueDay,
      weight,
    }));
    assessments.push(...work);
    for (let count = 0; count < MATERIALS_PER_PRESENTATION; count++) {
      // about a fifth of the materials belong to certain weeks, as in the original
      const week = random.next() < 0.22 ? random.between(1, 28) : null;
      const weekTo = week === null ? null : week + random.between(0, 2);
      materials.push({
        id: materialId++,
        presentationCode: code,
        activityType: random.weighted(ACTIVITIES),
        weekFrom: week,
        weekTo,
      });
    }
    const seats = Math.max(2, Math.round((students * shape.share) / 1000));
    for (let count = 0; count < seats; count++) {
      const id = studentId;
      // the neighbour of the demonstration student is the same as in the original
      studentId = id === DEMO_STUDENT ? DEMO_NEIGHBOUR : id + random.between(1, 90);
      const isDemo = id === DEMO_STUDENT;
      const withdrew = !isDemo && random.next() < 0.04;
      const unregisteredDay = withdrew ? random.between(5, Math.floor(shape.lengthDays / 2)) : null;
      // Nearly a fifth stay on the register, but hand in the beginning only.
      const faded = !isDemo && random.next() < 0.18;
      const ability = clamp(random.normal(75, 13), 20, 98);
      const marks: number[] = [];
      for (const [index, piece] of work.entries()) {
        const gone =
          (faded && index >= work.length / 2) || (unregisteredDay !== null && piece.dueDay >= unregisteredDay);
        if (gone || (!isDemo && random.next() < 0.04)) continue;
        const score = Math.round(clamp(random.normal(ability, 9), 0, 100));
        marks.push(score);
        const late = random.next() < 0.12 ? random.between(1, 14) : -random.between(0, 4);
        submissions.push({
          assessmentId: piece.id,
          studentId: id,
          submittedDay: piece.dueDay + late,
          banked: random.next() < 0.02,
          score: isDemo || random.next() > 0.002 ? score : null,
        });
      }
      enrolments.push({
        presentationCode: code,
        studentId: id,
        registeredDay: -random.between(10, 160),
        unregisteredDay,
        finalResult: outcome(random, marks, withdrew, faded),
        region: random.pick(REGIONS),
        education: random.weighted(EDUCATION),
        imdBand: random.next() < 0.035 ? null : random.pick(BANDS),
        ageBand: random.weighted({ '0-35': 70, '35-55': 29, '55<=': 1 }),
      });
    }
  }
  const presentations = SHAPES.map((shape) => ({
    code: `${shape.module}-${shape.run}`,
    module: shape.module,
    startsOn: startOf(shape.run),
    lengthDays: shape.lengthDays,
  }));
  return {
    source: cohortSource(students, seed),
    presentations,
    assessments,
    materials,
    enrolments,
    submissions,
  };
}
