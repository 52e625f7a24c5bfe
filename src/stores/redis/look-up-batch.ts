// The look-ups of one turn of the event loop, asked in one round trip.
import type { Clock } from '../../contract/clock.js';
import type { Lookup } from '../../contract/store.js';

interface Question {
  readonly answer: Promise<Lookup>;
  readonly resolve: (found: Lookup) => void;
  readonly reject: (error: unknown) => void;
}

/** Larger batches would keep Redis from its other clients for more than a fraction of a millisecond. */
const MOST_KEYS = 64;

/**
 * Under load most of what a look-up costs this process is the write to the socket, and readers arrive many to a turn.
 * A question is sent after all its readers have arrived, so an answer is as current for each of them as one of his own.
 */
export class LookUpBatch {
  readonly #ask: (keys: readonly string[]) => Promise<readonly (Lookup | Error)[]>;
  readonly #clock: Clock;
  #open = new Map<string, Question>();

  /** @param ask answers in the order of `keys`; an error in a place is that key's alone, a rejection everybody's. */
  constructor(ask: (keys: readonly string[]) => Promise<readonly (Lookup | Error)[]>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  lookUp(key: string): Promise<Lookup> {
    const asked = this.#open.get(key);
    if (asked !== undefined) return asked.answer;
    const question = newQuestion();
    const batch = this.#open.set(key, question);
    if (batch.size === 1) this.#clock.nextTurn(() => this.#send(batch));
    else if (batch.size === MOST_KEYS) this.#send(batch);
    return question.answer;
  }

  #send(batch: Map<string, Question>): void {
    // Already sent, because it was full.
    if (this.#open !== batch) return;
    this.#open = new Map();
    const questions = [...batch.values()];
    this.#ask([...batch.keys()]).then(
      (answers) => {
        for (const [index, { resolve, reject }] of questions.entries()) {
          const found = answers[index];
          if (found === undefined || found instanceof Error) reject(found ?? new Error('Redis left a key out.'));
          else resolve(found);
        }
      },
      (error: unknown) => {
        for (const { reject } of questions) reject(error);
      },
    );
  }
}

function newQuestion(): Question {
  let resolve: Question['resolve'] = () => undefined;
  let reject: Question['reject'] = () => undefined;
  const answer = new Promise<Lookup>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { answer, resolve, reject };
}
