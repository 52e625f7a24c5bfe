// The shape of the Open University data: presentations with their share of students, assessed work, and background.
import type { AssessmentType } from '../entities/index.js';

export interface Shape {
  readonly module: string;
  readonly run: string;
  readonly lengthDays: number;
  /** Students per thousand of the whole cohort. */
  readonly share: number;
  readonly work: readonly (readonly [AssessmentType, dueDay: number, weight: number])[];
}

export const SHAPES: readonly Shape[] = [
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

export const ACTIVITIES = {
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
export const BANDS = [
  '0-10%',
  '10-20%',
  '20-30%',
  '30-40%',
  '40-50%',
  '50-60%',
  '60-70%',
  '70-80%',
  '80-90%',
  '90-100%',
];
export const EDUCATION = {
  'A Level or Equivalent': 44,
  'Lower Than A Level': 36,
  'HE Qualification': 18,
  'Post Graduate Qualification': 1,
  'No Formal quals': 1,
};
export const REGIONS = [
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
