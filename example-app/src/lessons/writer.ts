// What a lesson writer is: another one, which asks a model for example, is put in by passing it to `startPlatform`.
import type { Lesson, LessonKey } from './lesson.js';

export interface WritingOrder extends LessonKey {
  /** What is to be different from the lesson that is there. Absent: it is the first, or nobody has said. */
  readonly reason?: string;
}

/** What a call has used, as its provider tells it. */
export interface Usage {
  /** The model that was asked, as the price list names it. */
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface LessonWriter {
  /**
   * @param used to be told after each call of a model, also where nothing comes of it in the end: it was paid for.
   * @throws anything: then there is no lesson, its reader is told so, and the error is logged. It must not name keys.
   */
  write(order: WritingOrder, used: (usage: Usage) => void): Promise<Lesson>;
}
