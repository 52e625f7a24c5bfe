// What is typed: help, wrong command lines, exit codes, and what never shows.
import { describe, expect, it } from '@jest/globals';
import { hostIn } from '../../src/cli/host.js';
import { COMMANDS } from '../../src/cli/main.js';
import { withoutPassword } from '../../src/cli/failures.js';
import { run } from './support.js';

describe('help', () => {
  it('names each command, exit code and variable', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    for (const text of [...Object.keys(COMMANDS), 'REPORT_CACHE_URL', 'REPORT_CACHE_AUTHORIZATION', 'REDIS_URL', '130'])
      expect(out).toContain(text);
  });

  it.each(Object.entries(COMMANDS))('of %s names each of its options', async (name, { flags }) => {
    const { code, out } = await run([name, '--help']);
    expect(code).toBe(0);
    for (const flag of [...Object.keys(flags), 'json', 'url']) expect(out).toContain(`--${flag}`);
  });

  it('offers no way that a command cannot take', async () => {
    expect((await run(['warm', '--help'])).out).not.toContain('--redis');
  });
});

describe('a wrong command line ends with 2 and says why, on stderr', () => {
  it.each([
    [[], 'Name a command'],
    [['stat'], 'There is no command "stat"'],
    [['stats'], 'Name the cache'],
    [['stats', '--nonsense'], "Unknown option '--nonsense'"],
    [['stats', 'more'], 'Unexpected argument'],
    [['stats', '--url', 'x'], '--url takes the address'],
    [['stats', '--url', 'ftp://h'], '--url takes an http'],
    [['stats', '--url', 'http://u:secret@h'], '--url takes no password'],
    [['stats', '--url', 'http://h', '--redis', 'redis://h'], 'not both'],
    [['stats', '--url', 'http://h', '--header', 'nonsense'], '--header takes'],
    [['stats', '--url', 'http://h', '--header', 'a: b\r\nc: d'], '--header takes'],
    [['stats', '--redis', 'http://h'], '--redis takes'],
    [['stats', '--redis', 'redis://h', '--namespace', 'a b'], '--namespace takes'],
    [['explain', '--redis', 'redis://h'], 'Name a key'],
    [['explain', 'a', 'b', '--redis', 'redis://h'], 'one key'],
    [['explain', '--type', 't', '--filters', '{', '--redis', 'redis://h'], '--filters takes JSON'],
    [['invalidate', '--redis', 'redis://h'], 'Name one of'],
    [['invalidate', '--tag', 'a:1', '--user', '7', '--redis', 'redis://h'], 'Name one of'],
    [['invalidate', '--everything', '--redis', 'redis://h'], 'takes --yes'],
    [['invalidate', '--pattern', '*', '--redis', 'redis://h'], 'takes --yes'],
    [['warm', '--url', 'http://h'], 'Name one of'],
    [['warm', '--all', '--budget', '5', '--url', 'http://h'], '--budget takes a duration'],
    [['warm', '--all', '--concurrency', 'x', '--url', 'http://h'], '--concurrency takes'],
    [['warm', '--all'], 'Name the cache: --url'],
    [['doctor'], 'Name what to look at'],
    [['doctor', '--redis', 'redis://h', '--budget', 'much'], '--budget takes'],
    [['doctor', '--database', 'sqlite://h'], '--database takes'],
  ])('%j', async (args, why) => {
    const { code, out, err } = await run(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(why);
    expect(err).not.toContain('secret');
  });
});

describe('what cannot be reached ends with 3', () => {
  it.each([
    [['stats', '--url', 'http://127.0.0.1:9'], '127.0.0.1:9 does not answer'],
    [['doctor', '--redis', 'redis://u:secret@127.0.0.1:9'], '127.0.0.1:9 does not answer'],
    [['doctor', '--database', 'postgres://u:secret@127.0.0.1:9/d'], 'database does not answer'],
  ])('%j', async (args, why) => {
    const { code, out, err } = await run(args);
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain(why);
    expect(err).not.toContain('secret');
  });
});

describe('packages of the host', () => {
  it('are said to be missing, with what to do', () => {
    const host = hostIn(['/nowhere']);
    expect(() => host.load('ioredis')).toThrow('"ioredis" is not installed in /nowhere');
    expect(host.versionOf('ioredis')).toBeUndefined();
  });

  it('are loaded from the first folder that has them', () => {
    expect(hostIn(['/nowhere', process.cwd()]).versionOf('prettier')).toMatch(/^\d/);
  });
});

it('a password in a URL never stands in a message', () => {
  expect(withoutPassword('at redis://user:p4ss@h:1/0 and postgres://:x@h')).toBe(
    'at redis://user:***@h:1/0 and postgres://:***@h',
  );
});
