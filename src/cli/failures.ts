// How the command line ends: exit codes, and the errors that lead to them.

/** Documented in `--help`, and part of what scripts rely on. */
export const EXIT_CODES = {
  fine: { code: 0, meaning: 'fine' },
  failed: { code: 1, meaning: 'something was found (doctor: warnings and errors), refused, or has failed' },
  usage: { code: 2, meaning: 'the command line is wrong' },
  unreachable: { code: 3, meaning: 'the API, Redis or the database cannot be reached' },
  interrupted: { code: 130, meaning: 'ended by Ctrl-C' },
} as const;

export type ExitName = keyof typeof EXIT_CODES;

/** An end with a message instead of a result. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  constructor(
    readonly exit: Exclude<ExitName, 'fine'>,
    message: string,
  ) {
    super(message);
  }
}

export const usageError = (message: string): CliFailure => new CliFailure('usage', message);
export const failed = (message: string): CliFailure => new CliFailure('failed', message);
export const unreachable = (message: string): CliFailure => new CliFailure('unreachable', message);

/** Passwords of URLs stay out of messages. */
export function withoutPassword(text: string): string {
  return text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@]*@/gi, '$1:***@');
}
