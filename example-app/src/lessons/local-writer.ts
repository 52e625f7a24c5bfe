// The writer that is always there: a lesson made of sentences by rules, the same for the same order, without a model.
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createRandom, type Random } from '../data/random.js';
import { LOCAL_WRITER } from './costs.js';
import type { Lesson, Style } from './lesson.js';
import type { LessonWriter, WritingOrder } from './writer.js';

/** @param ms how long a lesson takes, as a model would */
export function localWriter(ms: number): LessonWriter {
  return {
    async write(order, used) {
      await pause(ms);
      const lesson = lessonOf(order);
      used({
        model: LOCAL_WRITER,
        inputTokens: tokensIn(taskOf(order)),
        outputTokens: tokensIn(JSON.stringify(lesson)),
      });
      return lesson;
    },
  };
}

/** What a model would be asked. */
function taskOf({ title, number, style, reason }: WritingOrder): string {
  const task = `Write lesson ${number} of the step "${title}" for a learner who takes things in best by ${MEANS[style]}. Begin with
what it is for, explain it, show one example from beginning to end, give three exercises, and end with what to remember. Plain
words, short sentences, no more than one page. Answer with JSON and nothing around it.`;
  return reason === undefined ? task : `${task} There is such a lesson already. This one is to be different: ${reason}`;
}

/** Words, numbers and signs: near what a model counts. */
function tokensIn(text: string): number {
  return text.match(/\p{L}+|\p{N}+|[^\s\p{L}\p{N}]/gu)?.length ?? 0;
}

const MEANS: Readonly<Record<Style, string>> = {
  visual: 'pictures and diagrams',
  auditory: 'listening and talking',
  reading: 'reading and writing',
  kinesthetic: 'doing things by hand',
};

const METHODS: Readonly<Record<Style, readonly string[]>> = {
  visual: [
    'Draw it first: one box for what is given, one for what is wanted, and an arrow for every step between them.',
    'Take three colours. What stays the same gets one, what changes another, and what you are looking for the third.',
    'Sketch a number line or a map of the parts, and mark on it where you are after each step.',
  ],
  auditory: [
    'Say each step aloud before you take it, as if somebody on the telephone had to follow you.',
    'Explain it to a partner in one minute; then let your partner explain it to you, and listen for what is different.',
    'Turn the rule into a sentence with a rhythm, and repeat it while you work through the example.',
  ],
  reading: [
    'Read the definition twice, close the book, and write it down in your own words.',
    'Make a table of two columns: on the left the term, on the right one sentence about it.',
    'Write a short note to somebody who has missed the lesson: what it is, when it is used, what goes wrong.',
  ],
  kinesthetic: [
    'Lay it out on the table with cards or coins, and move them at every step.',
    'Fold a sheet of paper into as many parts as you need, and do each step on a part of it.',
    'Walk through it: a step on the floor for each step of the work, and a stop wherever you have to decide.',
  ],
};
const PURPOSES = [
  'You meet it wherever a whole is made of parts, and wherever two things are to be compared fairly.',
  'Everything that comes after it leans on it, so an hour here is saved many times later.',
  'It answers a question that you have asked yourself before, only not in these words.',
];
const WARNINGS = [
  'The usual mistake is to begin to calculate before it is clear what is wanted.',
  'The usual mistake is to skip the step that looks too easy to be written down.',
  'The usual mistake is to trust the rule in a case for which it was not made.',
];
const TASKS = [
  'Do the example again with the last number doubled.',
  'Find a case from your own day, and write down its steps.',
  'Make up an exercise with a mistake in it, and let a neighbour look for the mistake.',
  'Solve the example backwards, from the answer to the question.',
  'Explain in three sentences why the second step may not be left out.',
];

function lessonOf(order: WritingOrder): Lesson {
  const { title, number, style, reason } = order;
  const random = createRandom(seedOf(order));
  const [first, second] = [random.between(2, 9), random.between(11, 40)];
  return {
    heading: `${title}, lesson ${number}`,
    sections: [
      { heading: 'What it is for', text: `This is about ${title}. ${random.pick(PURPOSES)}` },
      ...(reason === undefined ? [] : [{ heading: 'What is different here', text: `You asked for: ${reason}` }]),
      { heading: 'How it goes', text: `${random.pick(METHODS[style])} ${random.pick(WARNINGS)}` },
      {
        heading: 'An example',
        text: `Take ${second} things in ${first} groups. Say what ${title} asks of them, do one step, and look whether what you
have still adds up to ${second}. Do the next step only then. At the end there are ${second % first} left over, and you can say why.`,
      },
      { heading: 'Exercises', text: three(TASKS, random).join(' ') },
      {
        heading: 'Remember',
        text: `Lesson ${number} of "${title}" in one line: know what is wanted, take one step at a time, and check it by ${MEANS[style]}.`,
      },
    ],
  };
}

function three(tasks: readonly string[], random: Random): string[] {
  const from = random.between(0, tasks.length - 1);
  return [0, 1, 2].map((step) => `${step + 1}. ${tasks[(from + step) % tasks.length]}`);
}

function seedOf({ title, number, style, reason }: WritingOrder): number {
  const order = JSON.stringify([title, number, style, reason ?? null]);
  return createHash('sha256').update(order).digest().readUInt32BE(0);
}
