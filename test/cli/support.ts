// Runs command lines in this process: streams that remember, terminals that answer, and the packages of the tests as the host's.
import { PassThrough, Writable } from 'node:stream';
import type { Clock } from '../../src/contract/clock.js';
import { hostIn, type Host } from '../../src/cli/host.js';
import { main } from '../../src/cli/main.js';
import { manageRedis } from '../../src/connect-cli.js';

const host = hostIn([process.cwd()]);

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly host?: Host;
  readonly clock?: Clock;
  /** All three streams are a terminal; what is typed there when it is asked something. */
  readonly terminal?: string;
  readonly columns?: number;
  /** Hears what is written to stderr; may press Ctrl-C. */
  readonly onError?: (text: string, interrupt: () => void) => void;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Of `--json`. */
  readonly json: ReturnType<typeof JSON.parse>;
}

export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { terminal, columns = 80, env = {}, onError, clock } = options;
  const isTTY = terminal !== undefined;
  let interrupt = () => undefined as void;
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const out = collecting(isTTY, columns);
  const err = collecting(isTTY, columns, (text) => {
    if (text.includes('[y/N]')) stdin.write(`${terminal}\n`);
    onError?.(text, () => interrupt());
  });
  const code = await main({
    args,
    env,
    stdin,
    stdout: out.stream,
    stderr: err.stream,
    host: options.host ?? host,
    manage: manageRedis,
    ...(clock && { clock }),
    onInterrupt: (listener) => {
      interrupt = listener;
      return () => undefined;
    },
  });
  const text = out.text();
  return {
    code,
    out: text,
    err: err.text(),
    json: args.includes('--json') && text !== '' ? JSON.parse(text) : undefined,
  };
}

function collecting(isTTY: boolean, columns: number, hear?: (text: string) => void) {
  let all = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      all += String(chunk);
      hear?.(String(chunk));
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY, columns }), text: () => all };
}
