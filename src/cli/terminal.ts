// The streams that a command talks to: results to stdout, everything else to stderr, and no half lines.
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import type { Style } from './text.js';

export interface Output extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const CLEAR_LINE = '\r\u001B[K';

export class Terminal {
  #hasHalfLine = false;

  constructor(private readonly streams: Streams) {}

  /** Whether somebody is there to be asked. */
  get isInteractive(): boolean {
    const { stdin, stderr } = this.streams;
    return stdin.isTTY === true && stderr.isTTY === true;
  }

  /** Whether progress can be shown by one line that changes. */
  get showsProgress(): boolean {
    return this.streams.stderr.isTTY === true && this.streams.env['TERM'] !== 'dumb';
  }

  get style(): Style {
    const { stdout, env } = this.streams;
    const isTerminal = stdout.isTTY === true;
    // https://no-color.org: whatever it says, as long as it says something.
    const colours = isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
    return { columns: isTerminal ? stdout.columns : undefined, colours };
  }

  /** The result. Resolves once it is written: what is left in a pipe is lost when the process ends. */
  print(text: string): Promise<void> {
    return write(this.streams.stdout, `${text}\n`);
  }

  /** A line beside the result. */
  tell(line: string): void {
    this.endLine();
    this.streams.stderr.write(`${line}\n`);
  }

  /** In the place of the one before it; nothing where that cannot be. */
  progress(line: string): void {
    if (!this.showsProgress) return;
    const { columns = 80 } = this.streams.stderr;
    this.streams.stderr.write(CLEAR_LINE + line.slice(0, columns - 1));
    this.#hasHalfLine = true;
  }

  /** Takes away what has not become a line. */
  endLine(): void {
    if (this.#hasHalfLine) this.streams.stderr.write(CLEAR_LINE);
    this.#hasHalfLine = false;
  }

  /** @returns whether the answer is yes; nothing and everything else is no */
  async confirm(question: string, signal: AbortSignal): Promise<boolean> {
    const { stdin, stderr } = this.streams;
    const lines = createInterface({ input: stdin, output: stderr });
    // The line reader keeps Ctrl-C to itself.
    const interrupted = new Promise<never>((_, reject) => {
      lines.on('SIGINT', () => reject(new Interrupted()));
      signal.addEventListener('abort', () => reject(new Interrupted()), { once: true });
    });
    const closed = new Promise<string>((resolve) => lines.on('close', () => resolve('')));
    try {
      const answer = await Promise.race([lines.question(`${question} [y/N] `), interrupted, closed]);
      return /^y(es)?$/i.test(answer.trim());
    } catch (error) {
      // The question stands there without an end.
      stderr.write('\n');
      throw error;
    } finally {
      lines.close();
    }
  }
}

/** Somebody has pressed Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      // Whoever reads may have seen enough: `| head`.
      if (error && Reflect.get(error, 'code') !== 'EPIPE') reject(error);
      else resolve();
    });
  });
}
