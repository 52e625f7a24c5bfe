// What the cache refuses to do with a lesson, as the problem that it is for who has asked.
import { Problem } from '../problem.js';

/** @param conflict what it means here that a version is not there, or that there can be no other */
export async function orProblem<T>(asked: Promise<T>, conflict: Problem): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw problemOf(error, conflict);
  }
}

function problemOf(error: unknown, conflict: Problem): unknown {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  switch (code) {
    case 'ERC_VERSION':
      return conflict;
    case 'ERC_SPEND': {
      const detail = 'What may be spent on lessons today is spent. Those that are there are still served.';
      return new Problem(429, detail, { code: 'spend_limit' }, Reflect.get(error as Error, 'headers') as RetryAfter);
    }
    case 'ERC_TIMEOUT':
      return new Problem(504, 'The lesson is still being written. Ask again in a minute.', { code: 'lesson_late' });
    default:
      return error;
  }
}

type RetryAfter = Readonly<Record<string, string>>;
