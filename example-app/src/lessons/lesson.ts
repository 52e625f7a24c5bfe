// A lesson, and what tells it from others: the step of the syllabus that it explains, its number there, and for whom.

export const STYLES = ['visual', 'auditory', 'reading', 'kinesthetic'] as const;
export type Style = (typeof STYLES)[number];

export interface LessonKey {
  /** Of the step. */
  readonly title: string;
  readonly number: number;
  /** How the learner takes things in best. */
  readonly style: Style;
}

export interface Section {
  readonly heading: string;
  readonly text: string;
}

export interface Lesson {
  readonly heading: string;
  readonly sections: readonly Section[];
}

const MAX_SECTIONS = 50;
const MAX_CHARACTERS = 100_000;

/** Whether what a writer has returned can be kept for good and shown. */
export function isLesson(value: unknown): value is Lesson {
  const { heading, sections } = (value ?? {}) as Partial<Record<keyof Lesson, unknown>>;
  if (!isText(heading) || !Array.isArray(sections)) return false;
  if (sections.length < 1 || sections.length > MAX_SECTIONS) return false;
  return sections.every((one: Partial<Section> | null) => isText(one?.heading) && isText(one?.text));
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= MAX_CHARACTERS;
}
