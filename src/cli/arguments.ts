// Reads the arguments by the table of commands.
import { parseArgs } from 'node:util';
import { errorText } from '../contract/errors.js';
import { Given, type Command, type Flags } from './command.js';
import { usageError } from './failures.js';

/** What all commands take. */
export const COMMON: Flags = {
  json: { type: 'boolean', summary: 'One JSON document on stdout, and nothing else' },
  help: { type: 'boolean', summary: 'This text, or that of a command' },
};

export const WAY_FLAGS = {
  url: {
    url: { type: 'string', value: '<url>', env: 'REPORT_CACHE_URL', summary: 'Where the management API is mounted' },
    header: {
      type: 'string',
      multiple: true,
      value: "'<name>: <value>'",
      summary:
        'Sent along; repeat it for more. For credentials better REPORT_CACHE_AUTHORIZATION: others see arguments',
    },
  },
  redis: {
    redis: {
      type: 'string',
      value: '<url>',
      env: 'REDIS_URL',
      summary: 'The Redis of the cache, where there is no API',
    },
    namespace: { type: 'string', value: '<name>', summary: 'As in the options of the cache. Default: reports' },
    'app-version': { type: 'string', value: '<text>', summary: 'Its option `version`. Default: 1' },
    'key-prefix': { type: 'string', value: '<text>', summary: 'The keyPrefix of its ioredis client. Default: none' },
  },
} as const satisfies Readonly<Record<'url' | 'redis', Flags>>;

export function flagsOf({ ways, flags }: Pick<Command, 'ways' | 'flags'>): Flags {
  return { ...Object.assign({}, ...ways.map((way) => WAY_FLAGS[way])), ...flags, ...COMMON } as Flags;
}

/** @throws CliFailure, which says what is wrong */
export function readArguments(args: readonly string[], command: Command): Given {
  const flags = flagsOf(command);
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { type, multiple }]) => [name, { type, ...(multiple && { multiple }) }]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: command.operand !== undefined,
    });
    return new Given(values as ConstructorParameters<typeof Given>[0], positionals);
  } catch (error) {
    // Its advice behind the first sentence is about `--`.
    throw usageError(errorText(error).split(/\.\s|\n/)[0] ?? 'The arguments cannot be read.');
  }
}
