// The commands that a Redis user needs: one list in the code, of which the README, Lua scripts and clients are held.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { NEEDED_COMMANDS } from '../../src/stores/redis/needed-commands.js';
import { readSources, root } from './sources.js';

const listed = [...new Set(Object.values(NEEDED_COMMANDS).flatMap((commands) => Object.keys(commands)))].sort();

/** Asked by clients by themselves, or with arguments that tell which. */
const ELSEWHERE = ['subscribe', 'ping', 'memory', 'object'];

/** Where commands are sent from: scripts, and clients of the host. */
const SENDS = /redis\.p?call\('(\w+)'|\bcall\('(\w+)'|\[\s*'([A-Z]{3,})',/g;

describe('the commands that a Redis user needs', () => {
  it('stand in the README, each of them and no other', () => {
    const limits = /^## Limits$([\s\S]*)/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? '';
    const item = /^- A Redis user needs([\s\S]*?)(?=^- )/m.exec(limits)?.[1] ?? '';
    const told = [...item.matchAll(/\+([a-z]+(?:\|[a-z]+)?)/g)].map(([, command = '']) => command);
    expect([...new Set(told)].sort()).toEqual(listed);
  });

  it('are all that the stores, statistics and warming send', () => {
    const rooms = /^(stores\/redis|stats|warming)\//;
    const sent = readSources()
      .filter(({ name }) => rooms.test(name) && !name.endsWith('needed-commands.ts'))
      .flatMap(({ text }) => [...text.matchAll(SENDS)].map(([, ...found]) => found.find((one) => one)?.toLowerCase()))
      .filter((one): one is string => one !== undefined);
    expect(sent).toEqual(expect.arrayContaining(['hset', 'publish', 'zrevrange', 'lpush', 'zscan']));
    const known = [...listed, ...ELSEWHERE];
    expect([...new Set(sent)].filter((command) => !known.includes(command))).toEqual([]);
  });
});
