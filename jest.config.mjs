// The tests against real servers, in three combinations of peer majors: `npm test`.
import { readFileSync, readdirSync } from 'node:fs';
import base from './jest.base.mjs';

/** What each combination replaces, and the folders of test/ whose behaviour that can change. The first runs everything. */
const combinations = {
  'e5-t1-r5': { replace: {}, folders: '**' },
  'e4-t03-r5': {
    replace: { '^express$': 'express4', '^typeorm$': 'typeorm03', '^typeorm/(.*)$': 'typeorm03/$1' },
    folders: '{http,admin,tracing,typeorm,outbox,versions,views,system}/**',
  },
  'e5-t1-r6': { replace: { '^ioredis$': 'ioredis6' }, folders: '{stores,core,scheduler,system}/**' },
};

/** V8 counts the lines of a file that is never loaded as uncovered, and a file of types alone cannot be loaded. */
const HAS_CODE = /^(?:export )?(?:abstract |async )?(?:const|let|function|class|enum)\b|^export (?:\*|\{|default)/m;
const src = new URL('src/', import.meta.url);
const typesOnly = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !HAS_CODE.test(readFileSync(new URL(file, src), 'utf8')),
);

export default {
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  reporters: ['default', '<rootDir>/test/support/no-skips.mjs'],
  maxWorkers: 2,
  // Modules of every test file stay in the memory of its worker: a new one is cheaper than its garbage.
  workerIdleMemoryLimit: '700MB',
  // Many tests start servers of their own or move much, and a busy machine is slow at that; what hangs is found all the same.
  testTimeout: 180_000,
  coverageProvider: 'v8',
  // The dashboard runs in a browser, where its tests are.
  collectCoverageFrom: ['src/**/*.ts', '!src/dashboard/**', ...typesOnly.map((file) => `!src/${file}`)],
  coverageDirectory: 'coverage',
  coverageReporters: ['text-summary', 'json-summary', 'html'],
  coverageThreshold: { global: { lines: 95, branches: 88 } },
  projects: Object.entries(combinations).map(([displayName, { replace, folders }]) => ({
    ...base,
    displayName,
    moduleNameMapper: {
      ...base.moduleNameMapper,
      '^express-report-cache$': '<rootDir>/src/index.ts',
      '^express-report-cache/prometheus$': '<rootDir>/src/prometheus.ts',
      ...replace,
    },
    testMatch: [
      `<rootDir>/test/${folders}/*.test.ts`,
      // The example names the newest of everything.
      ...(folders === '**' ? ['<rootDir>/example-app/test/*.test.ts'] : []),
    ],
    // They start child processes, which no replacement reaches; and one rebuilds dist, which two may not do at once.
    testPathIgnorePatterns:
      folders === '**'
        ? []
        : [
            'system/start',
            'system/crowd',
            'system/insights',
            'system/persisted-killed',
            'versions/processes',
            'views/killed',
          ].map((name) => `<rootDir>/test/${name}.test.ts`),
  })),
};
