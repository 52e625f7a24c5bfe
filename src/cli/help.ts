// The texts of --help, made of the table of commands.
import { flagsOf } from './arguments.js';
import type { Command, Flags } from './command.js';
import { EXIT_CODES } from './failures.js';

export const NAME = 'express-report-cache';

export function helpOf(commands: Readonly<Record<string, Command>>): string {
  const rows = Object.entries(commands).map(([name, { operand, summary }]) => [join(name, operand), summary] as const);
  return [
    `Usage: ${NAME} <command> [options]`,
    '',
    'Looks after a report cache: over its management API (--url), or over the Redis that it uses (--redis).',
    '',
    'Commands:',
    ...aligned(rows),
    '',
    'Environment:',
    ...aligned([
      ['REPORT_CACHE_URL', 'stands in for --url'],
      ['REPORT_CACHE_AUTHORIZATION', 'the header Authorization, which as an argument others could see'],
      ['REDIS_URL', 'stands in for --redis, where no --url is given either'],
      ['REPORT_CACHE_DATABASE', 'stands in for --database of doctor'],
      ['NO_COLOR', 'no colours'],
    ]),
    '',
    ...exitCodes(),
    '',
    `${NAME} <command> --help tells the options of a command.`,
  ].join('\n');
}

export function helpOfCommand(name: string, command: Command): string {
  const { summary, operand, notes = [] } = command;
  return [
    `Usage: ${NAME} ${join(name, operand)} [options]`,
    '',
    `${summary}.`,
    ...notes,
    '',
    'Options:',
    ...aligned(rowsOf(flagsOf(command))),
    '',
    ...exitCodes(),
  ].join('\n');
}

function rowsOf(flags: Flags): (readonly [string, string])[] {
  return Object.entries(flags).map(([name, { value, summary, env }]) => [
    join(`--${name}`, value),
    env === undefined ? summary : `${summary} (${env})`,
  ]);
}

function exitCodes(): string[] {
  return ['Exit codes:', ...aligned(Object.values(EXIT_CODES).map(({ code, meaning }) => [String(code), meaning]))];
}

const join = (name: string, more: string | undefined): string => (more === undefined ? name : `${name} ${more}`);

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
