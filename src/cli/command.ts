// What a command is: data that arguments are parsed by, help is made of and main() runs.
import type { Clock } from '../contract/clock.js';
import type { Host } from './host.js';
import type { Style } from './text.js';
import type { Terminal } from './terminal.js';
import type { Open, Way } from './way.js';

export interface Flag {
  readonly type: 'string' | 'boolean';
  readonly summary: string;
  /** What stands for its value in the help. */
  readonly value?: string;
  /** May be given more than once. */
  readonly multiple?: true;
  /** The environment variable that stands in for it. */
  readonly env?: string;
}

export type Flags = Readonly<Record<string, Flag>>;

/** What was given of them. */
export class Given {
  constructor(
    private readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>,
    readonly operands: readonly string[],
  ) {}

  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === 'string' ? value : undefined;
  }

  texts(name: string): readonly string[] {
    const value = this.values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  has(name: string): boolean {
    return this.values[name] === true;
  }
}

/** The result of a command, as a document and as text. */
export interface Result {
  /** For `--json`. */
  readonly document: unknown;
  readonly text: (style: Style) => string;
  /** Whether the exit code says that something was found, or has failed. */
  readonly failed?: boolean;
}

export interface Running {
  readonly given: Given;
  readonly terminal: Terminal;
  /** Ends when somebody presses Ctrl-C. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly host: Host;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly open: Open;
}

export interface Command {
  readonly summary: string;
  /** Behind its name, as in `[key]`. */
  readonly operand?: string;
  /** Which ways to a cache it can take. */
  readonly ways: readonly Way['kind'][];
  readonly flags: Flags;
  /** Further lines of its help. */
  readonly notes?: readonly string[];
  run(running: Running): Promise<Result>;
}
