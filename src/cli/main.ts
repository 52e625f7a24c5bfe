// Runs one command line: arguments in, a result and an exit code out.
import { systemClock, type Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import { readArguments } from './arguments.js';
import type { Command, Result } from './command.js';
import { doctor } from './doctor/doctor.js';
import { entries } from './entries.js';
import { explain } from './explain.js';
import { CliFailure, EXIT_CODES, failed, usageError, withoutPassword, type ExitName } from './failures.js';
import { helpOf, helpOfCommand, NAME } from './help.js';
import type { Host } from './host.js';
import { invalidate } from './invalidate.js';
import { opening } from './open.js';
import type { Manage } from './redis-way.js';
import { stats } from './stats.js';
import { Interrupted, Terminal, type Streams } from './terminal.js';
import { warm } from './warm.js';

export const COMMANDS: Readonly<Record<string, Command>> = { stats, entries, explain, invalidate, warm, doctor };

/** What is around the command line: tests bring their own. */
export interface World extends Streams {
  readonly args: readonly string[];
  readonly host: Host;
  readonly manage: Manage;
  readonly clock?: Clock;
  /** Calls `listener` on Ctrl-C. @returns what ends that */
  readonly onInterrupt: (listener: () => void) => () => void;
}

/** @returns the exit code. Never rejects. */
export async function main(world: World): Promise<number> {
  const terminal = new Terminal(world);
  const interrupt = new AbortController();
  const ignore = world.onInterrupt(() => interrupt.abort());
  const interrupted = new Promise<never>((_, reject) => {
    interrupt.signal.addEventListener('abort', () => reject(new Interrupted()), { once: true });
  });
  interrupted.catch(() => undefined);
  try {
    const result = await Promise.race([run(world, terminal, interrupt.signal), interrupted]);
    return EXIT_CODES[result.failed ? 'failed' : 'fine'].code;
  } catch (error) {
    terminal.endLine();
    const name = error instanceof Interrupted ? 'interrupted' : exitOf(error);
    if (name !== 'interrupted') terminal.tell(`${NAME}: ${withoutPassword(messageOf(error))}`);
    return EXIT_CODES[name].code;
  } finally {
    ignore();
  }
}

async function run(world: World, terminal: Terminal, signal: AbortSignal): Promise<Pick<Result, 'failed'>> {
  const { args, env, host, manage, clock = systemClock } = world;
  const [name, ...rest] = args;
  if (name === undefined) throw usageError(`Name a command.\n\n${helpOf(COMMANDS)}`);
  if (name === '--help' || name === '-h' || name === 'help') {
    await terminal.print(helpOf(COMMANDS));
    return {};
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined)
    throw usageError(`There is no command "${name}"; there are ${Object.keys(COMMANDS).join(', ')}.`);
  if (rest.includes('--help') || rest.includes('-h')) {
    await terminal.print(helpOfCommand(name, command));
    return {};
  }
  const given = readArguments(rest, command);
  const open = opening({ given, env, host, manage, clock });
  const result = await command.run({ given, terminal, signal, clock, host, env, open });
  terminal.endLine();
  if (signal.aborted) throw new Interrupted();
  await terminal.print(given.has('json') ? JSON.stringify(result.document, undefined, 2) : result.text(terminal.style));
  return result;
}

const exitOf = (error: unknown): ExitName => (error instanceof CliFailure ? error.exit : 'failed');

const messageOf = (error: unknown): string => (error instanceof CliFailure ? error : failed(errorText(error))).message;
