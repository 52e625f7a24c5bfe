// The rules of the house that no compiler checks: who may import whom, where time comes from, what is written down.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ERROR_ADVICE } from '../../src/contract/errors.js';
import { readSources, root, specifiersOf, toSource, type SourceFile } from './sources.js';

/** What each folder of src may import beside itself. Folders missing here are strangers to one another. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  entry: ['contract'],
  options: ['entry', 'contract'],
  sql: ['contract'],
  stores: ['sql', 'options', 'entry', 'contract'],
  testing: ['entry', 'contract'],
  core: ['options', 'entry', 'contract'],
  http: ['core', 'options', 'entry', 'contract'],
  typeorm: ['core', 'options', 'entry', 'contract'],
  outbox: ['sql', 'entry', 'contract'],
  costs: ['sql', 'options', 'entry', 'contract'],
  resources: ['options', 'entry', 'contract'],
  versions: ['sql', 'core', 'options', 'entry', 'contract'],
  views: ['sql', 'core', 'options', 'entry', 'contract'],
  tracing: ['core', 'entry', 'contract'],
  metrics: ['contract'],
  stats: ['contract'],
  warming: ['options', 'entry', 'contract'],
  scheduler: ['core', 'options', 'entry', 'contract'],
  admin: ['stats', 'costs', 'options', 'entry', 'contract'],
  dashboard: ['contract'],
  cli: ['admin', 'outbox', 'versions', 'typeorm', 'stores', 'sql', 'core', 'options', 'entry', 'contract'],
};

/** Reached through what the host hands over, never by name: loading the library must not load them. */
const NEVER_AT_RUN_TIME = ['express', 'ioredis', 'typeorm', 'pino', 'prom-client', '@opentelemetry/api'];

const READS_THE_CLOCK =
  /\bDate\.now\b|\bnew Date\b(?!\([^)])|\bperformance\.now\b|\bprocess\.hrtime\b|\b(?:setTimeout|setInterval|setImmediate)\b|['"](?:node:)?timers(?:\/promises)?['"]/;

/** Where something is made for each request. */
const OF_A_REQUEST = /^(?:core|http|tracing|costs|stats)\//;
/**
 * A getter of an object literal (deeper than one of a class), or a function set on a response: V8 lets what either refers
 * to survive every young collection, in a miss all that belongs to its request. Measured as the bytes that a sampling
 * heap profile finds alive after young collections: 36 kB a miss with them, 10 kB without (Node 24).
 */
const KEEPS_REQUESTS = /^ {4,}get \w+\(\)|\bres\.(?:write|end|writeHead) = /m;

const sources = readSources();
/** Runs in a browser: packages are bundled into it, and its time is the browser's. */
const inNode = sources.filter(({ name }) => !name.startsWith('dashboard/'));

describe('imports', () => {
  it('go one way', () => {
    expect(sources.flatMap(wrongWay)).toEqual([]);
  });

  it('of the page name types alone: nothing of the library runs in a browser', () => {
    const inPage = sources.filter(({ name }) => name.startsWith('dashboard/'));
    expect(inPage.flatMap(({ text }) => loadedFromOutside(text))).toEqual([]);
    expect(
      loadedFromOutside("import type { A } from '../contract/a.js';\nimport { b } from '../contract/b.js';"),
    ).toEqual(["import { b } from '../contract/b.js'"]);
  });

  it('form no cycle, not even of types', () => {
    expect(cyclesIn(sources)).toEqual([]);
  });

  it('name no peer and no optional package at run time', () => {
    expect(sources.flatMap(peersLoaded)).toEqual([]);
  });

  it('name only declared packages and node: modules', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const declared = new Set([...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
    const undeclared = inNode.flatMap((file) =>
      specifiersOf(file.code)
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:') && !declared.has(packageOf(name)))
        .map((name) => `${file.name} imports ${name}`),
    );
    expect(undeclared).toEqual([]);
  });
});

describe('files', () => {
  it('say their job in the first line', () => {
    expect(sources.filter((file) => !/^(?:#!.*\n)?\/\/ \S/.test(file.text)).map((file) => file.name)).toEqual([]);
  });

  it('take time from the clock they are given', () => {
    expect(inNode.filter(ownTime).map((file) => file.name)).toEqual([]);
  });

  it('leave nothing to a request that V8 keeps until a full collection', () => {
    expect(inNode.filter(keepsRequests).map((file) => file.name)).toEqual([]);
  });
});

describe('error codes', () => {
  const readme = join(root, 'README.md');

  it('stand in the README, each of them and no other', () => {
    const codes = Object.keys(ERROR_ADVICE).sort();
    // Until the README is written there is nothing to compare.
    const documented = existsSync(readme) ? documentedCodes(readFileSync(readme, 'utf8')) : codes;
    expect(documented).toEqual(codes);
  });
});

// A rule that cannot fail guards nothing: each is shown what it forbids.
describe('the rules themselves', () => {
  it.each([
    ['contract/a.ts', "import type { B } from '../entry/b.js';"],
    ['core/a.ts', "export { b } from '../stores/b.js';"],
    ['http/a.ts', "import '../typeorm/b.js';"],
    ['http/a.ts', "type B = import('../create-report-cache.js').B;"],
    ['new-room/a.ts', "import '../contract/b.js';"],
  ])('%s may not contain %s', (name, text) => {
    expect(wrongWay(toSource(name, text))).toHaveLength(1);
  });

  it.each([
    'export const a = () => {\n  return {\n    get b() {\n      return 1;\n    },\n  };\n};',
    'res.end = (...args) => original(...args);',
  ])('a file of a request may not contain %j', (text) => {
    expect(keepsRequests(toSource('http/a.ts', text))).toBe(true);
    expect(keepsRequests(toSource('admin/a.ts', text))).toBe(false);
  });

  it.each([
    ['http/a.ts', "import type { B } from '../core/b.js';"],
    ['index.ts', "export { b } from './http/b.js';"],
    ['testing.ts', "export { b } from './testing/b.js';"],
    ['core/a.ts', "// from '../http/b.js'\nimport { c } from './c.js';"],
  ])('%s may contain %s', (name, text) => {
    expect(wrongWay(toSource(name, text))).toEqual([]);
  });

  it('finds a cycle of types', () => {
    const files = [
      toSource('core/a.ts', "import type { B } from './b.js';"),
      toSource('core/b.ts', "export type * from './c.js';"),
      toSource('core/c.ts', "let a: import('./a.js').A;"),
    ];
    expect(cyclesIn(files)).toEqual(['core/a.ts -> core/b.ts -> core/c.ts -> core/a.ts']);
  });

  it.each([
    ["import { DataSource } from 'typeorm';", 1],
    ["import { type DataSource } from 'typeorm';", 1],
    ["const { Redis } = await import('ioredis');", 1],
    ["import Router from 'express/lib/router/index.js';", 1],
    ["import type { DataSource } from 'typeorm';", 0],
    ["type D = import('typeorm').DataSource;", 0],
    ["/** import 'typeorm' */ export const a = 1;", 0],
  ])('%s loads %i peers', (text, count) => {
    expect(peersLoaded(toSource('core/a.ts', text))).toHaveLength(count);
  });

  it.each([
    ['const t = Date.now();', true],
    ['const t = new Date();', true],
    ['setTimeout(() => {}, 1);', true],
    ["import { setTimeout as wait } from 'node:timers/promises';", true],
    ['const t = new Date(entry.createdAt); // not Date.now()', false],
    ['/** setTimeout */ export type A = typeof setTimeout;', false],
  ])('%s reads the clock: %s', (text, reads) => {
    expect(ownTime(toSource('core/a.ts', text))).toBe(reads);
  });

  it('reads the codes of the section "Errors" only', () => {
    const readme =
      '# a\n`ERC_NO`\n## Errors\n| Code | Fix |\n|---|---|\n| `ERC_B` | b |\n| `ERC_A` | see `ERC_B` |\n## b\n| `ERC_C` |\n';
    expect(documentedCodes(readme)).toEqual(['ERC_A', 'ERC_B']);
  });
});

function wrongWay(file: SourceFile): string[] {
  const from = roomOf(file.name);
  // Files directly in src put the rooms together.
  if (from === undefined) return [];
  return file.imports
    .filter((name) => name.endsWith('.ts') && roomOf(name) !== from)
    .filter((name) => !(MAY_IMPORT[from] ?? []).includes(roomOf(name) ?? ''))
    .map((name) => `${file.name} imports ${name}`);
}

function roomOf(name: string): string | undefined {
  return name.includes('/') ? name.slice(0, name.indexOf('/')) : undefined;
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function peersLoaded(file: SourceFile): string[] {
  return specifiersOf(file.code)
    .filter((name) => NEVER_AT_RUN_TIME.includes(packageOf(name)))
    .map((name) => `${file.name} loads ${name}`);
}

function keepsRequests({ name, text }: SourceFile): boolean {
  return OF_A_REQUEST.test(name) && KEEPS_REQUESTS.test(text);
}

function ownTime(file: SourceFile): boolean {
  return file.name !== 'contract/clock.ts' && READS_THE_CLOCK.test(file.code);
}

/** Each cycle once, from the file where a walk in alphabetical order meets it first. */
function cyclesIn(files: readonly SourceFile[]): string[] {
  const imports = new Map(files.map((file) => [file.name, file.imports]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (name: string, path: readonly string[]): void => {
    const start = path.indexOf(name);
    if (start >= 0) cycles.push([...path.slice(start), name].join(' -> '));
    if (start >= 0 || done.has(name)) return;
    for (const next of imports.get(name) ?? []) visit(next, [...path, name]);
    done.add(name);
  };
  for (const file of files) visit(file.name, []);
  return cycles;
}

function documentedCodes(readme: string): string[] {
  const section = /^##+ Errors\s*$([\s\S]*?)(?=^##? |(?![\s\S]))/m.exec(readme)?.[1] ?? '';
  return [...section.matchAll(/^\|\s*`(ERC_[A-Z_]+)`/gm)].map((match) => match[1] ?? '').sort();
}

function loadedFromOutside(text: string): string[] {
  const found = text.match(/^(?:import|export)\b[^;]*?from '(?:\.\.\/)+contract\/[^']+'/gm) ?? [];
  return found.filter((one) => !/^(?:import|export) type\b/.test(one));
}
