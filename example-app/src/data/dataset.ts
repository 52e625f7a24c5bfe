// The shape that both sources of data give: what the Open University files contain, and nothing that is added here.
import type { AssessmentType } from '../entities/index.js';

export interface PresentationRow {
  readonly code: string;
  readonly module: string;
  /** ISO date of day 0. */
  readonly startsOn: string;
  readonly lengthDays: number;
}

export interface AssessmentRow {
  readonly id: number;
  readonly presentationCode: string;
  readonly type: AssessmentType;
  readonly dueDay: number;
  readonly weight: number;
}

export interface MaterialRow {
  readonly id: number;
  readonly presentationCode: string;
  readonly activityType: string;
  readonly weekFrom: number | null;
  readonly weekTo: number | null;
}

export interface EnrolmentRow {
  readonly presentationCode: string;
  readonly studentId: number;
  readonly registeredDay: number | null;
  readonly unregisteredDay: number | null;
  readonly finalResult: string;
  readonly region: string;
  readonly education: string;
  readonly imdBand: string | null;
  readonly ageBand: string;
}

export interface SubmissionRow {
  readonly assessmentId: number;
  readonly studentId: number;
  readonly submittedDay: number;
  readonly banked: boolean;
  readonly score: number | null;
}

export interface Dataset {
  /** Short description, stored beside the data. */
  readonly source: string;
  readonly presentations: readonly PresentationRow[];
  readonly assessments: readonly AssessmentRow[];
  readonly materials: readonly MaterialRow[];
  readonly enrolments: readonly EnrolmentRow[];
  readonly submissions: readonly SubmissionRow[];
}

/** The student behind the token `demo-student`, in both sources. */
export const DEMO_STUDENT = 11391;
/** Next to him in the register: same presentation, same tutor, same parent. */
export const DEMO_NEIGHBOUR = 28400;

/** Presentations begin in February (B) or October (J) of their year. */
export function startOf(presentation: string): string {
  const year = presentation.slice(0, 4);
  return presentation.endsWith('B') ? `${year}-02-01` : `${year}-10-01`;
}
