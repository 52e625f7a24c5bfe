// The question to a model: what it is to do, the shape of its answer, and the figures, which say whose they are to nobody.
import type { Figures } from './figures.js';

interface Message {
  readonly role: 'system' | 'user';
  readonly content: string;
}

const TASK = `You help teachers to understand how a student gets on in one subject. You are given figures and nothing else.
Answer with one JSON object and nothing around it:
{"summary": text, "strengths": [texts], "concerns": [texts], "suggestions": [texts]}
Each text is one or two plain sentences of at most 300 characters. At most five texts in a list; an empty list where the
figures show nothing. Say only what the figures support. Scores are out of 100; "trend" is points in 30 days; "elsewhere" is
the same student's mean in all other subjects.`;

export function messagesOf(figures: Figures): readonly Message[] {
  return [
    { role: 'system', content: TASK },
    { role: 'user', content: JSON.stringify(figures) },
  ];
}
