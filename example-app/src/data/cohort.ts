// Generates a cohort with the shape of the Open University data, for machines that do not have the files.
import type { AssessmentType } from '../entities/index.js';
import {
  type AssessmentRow,
  type Dataset,
  DEMO_STUDENT,
  type EnrolmentRow,
  type MaterialRow,
  startOf,
  type SubmissionRow,
} from './dataset.js';
import { createRandom, type Random } from './random.js';

interface Shape {
  readonly module: string;
  readonly run: string;
  readonly lengthDays: number;
  /** Students per thousand of the whole cohort. */
  readonly share: number;
  readonly work: readonly (readonly [AssessmentType, dueDay: number, weight: number])[];
}

const SHAPES: readonly Shape[] = [
  {
    module: 'AAA',
    run: '2013J',
    lengthDays: 268,
    share: 26,
    work: [
      ['TMA', 19, 10],
      ['TMA', 54, 20],
      ['TMA', 117, 20],
    ],
  },
  {
    module: 'AAA',
    run: '2014J',
    lengthDays: 269,
    share: 24,
    work: [
      ['TMA', 19, 10],
      ['TMA', 54, 20],
      ['TMA', 117, 20],
    ],
  },
  {
    module: 'BBB',
    run: '2013J',
    lengthDays: 268,
    share: 127,
    work: [
      ['TMA', 19, 5],
      ['TMA', 47, 18],
      ['CMA', 54, 1],
      ['TMA', 96, 18],
      ['CMA', 96, 1],
    ],
  },
  {
    module: 'BBB',
    run: '2014J',
    lengthDays: 262,
    share: 124,
    work: [
      ['TMA', 19, 0],
      ['TMA', 54, 10],
      ['TMA', 110, 20],
    ],
  },
  {
    module: 'DDD',
    run: '2013J',
    lengthDays: 261,
    share: 101,
    work: [
      ['TMA', 25, 10],
      ['TMA', 53, 12.5],
      ['TMA', 88, 17.5],
      ['TMA', 123, 20],
    ],
  },
  {
    module: 'DDD',
    run: '2014J',
    lengthDays: 262,
    share: 93,
    work: [
      ['TMA', 20, 5],
      ['TMA', 41, 10],
      ['TMA', 62, 10],
      ['TMA', 111, 25],
    ],
  },
  {
    module: 'EEE',
    run: '2013J',
    lengthDays: 268,
    share: 65,
    work: [
      ['TMA', 33, 16],
      ['TMA', 68, 28],
      ['TMA', 124, 28],
    ],
  },
  {
    module: 'EEE',
    run: '2014J',
    lengthDays: 269,
    share: 71,
    work: [
      ['TMA', 33, 16],
      ['TMA', 68, 28],
    ],
  },
  {
    module: 'FFF',
    run: '2013J',
    lengthDays: 268,
    share: 129,
    work: [
      ['TMA', 19, 12.5],
      ['TMA', 47, 12.5],
      ['TMA', 96, 25],
    ],
  },
  {
    module: 'FFF',
    run: '2014J',
    lengthDays: 269,
    share: 121,
    work: [
      ['TMA', 24, 12.5],
      ['TMA', 52, 12.5],
      ['TMA', 94, 25],
    ],
  },
  {
    module: 'GGG',
    run: '2013J',
    lengthDays: 261,
    share: 71,
    work: [
      ['TMA', 61, 0],
      ['TMA', 124, 0],
    ],
  },
  {
    module: 'GGG',
    run: '2014J',
    lengthDays: 269,
    share: 50,
    work: [
      ['TMA', 61, 0],
      ['TMA', 124, 0],
    ],
  },
];

const MATERIALS_PER_PRESENTATION = 60;
const ACTIVITIES = {
  resource: 41,
  oucontent: 18,
  subpage: 15,
  url: 13,
  forumng: 3,
  quiz: 3,
  oucollaborate: 2,
  page: 2,
  questionnaire: 1,
  ouwiki: 1,
  homepage: 1,
};
const BANDS = ['0-10%', '10-20%', '20-30%', '30-40%', '40-50%', '50-60%', '60-70%', '70-80%', '80-90%', '90-100%'];
const EDUCATION = {
  'A Level or Equivalent': 44,
  'Lower Than A Level': 36,
  'HE Qualification': 18,
  'Post Graduate Qualification': 1,
  'No Formal quals': 1,
};
const REGIONS = [
  'Scotland',
  'East Anglian Region',
  'London Region',
  'South Region',
  'North Western Region',
  'West Midlands Region',
  'South West Region',
  'East Midlands Region',
  'South East Region',
  'Wales',
  'Yorkshire Region',
  'North Region',
  'Ireland',
];

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/** The result follows from the marks, with the share of withdrawals of the original. */
function outcome(random: Random, marks: readonly number[], withdrew: boolean): string {
  if (withdrew) return 'Withdrawn';
  const mean = marks.length > 0 ? marks.reduce((sum, mark) => sum + mark, 0) / marks.length : 0;
  if (mean < 45 + random.between(0, 15)) return 'Fail';
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
      studentId += random.between(1, 90);
      const isDemo = id === DEMO_STUDENT;
      const withdrew = !isDemo && random.next() < 0.04;
      const unregisteredDay = withdrew ? random.between(5, Math.floor(shape.lengthDays / 2)) : null;
      const ability = clamp(random.normal(75, 13), 20, 98);
      const marks: number[] = [];
      for (const piece of work) {
        const gone = unregisteredDay !== null && piece.dueDay >= unregisteredDay;
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
        finalResult: outcome(random, marks, withdrew),
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
    source: `cohort seed=${seed} students=${students}`,
    presentations,
    assessments,
    materials,
    enrolments,
    submissions,
  };
}
