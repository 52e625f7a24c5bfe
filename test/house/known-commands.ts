// The shell commands that documentation may name, each with what runs it, so that none is only believed to work.

const STAGE = 'a stage of npm test';

export const KNOWN_COMMANDS: Readonly<Record<string, string>> = {
  'npm install express-report-cache': 'scripts/check-package.mjs, from the packed tarball',
  'npm ci': '.ci/run',
  'npm test': '.ci/run',
  'npm install && npm start': 'test/system/start.test.ts',
  'npm install && npm test': '.ci/run',
  'npm start': 'test/system/start.test.ts',
  'OULAD_DIR=/path/to/csv npm start':
    'npm start is test/system/start.test.ts, the files example-app/test/oulad.test.ts',
  'DATABASE_URL=postgres://… REDIS_URL=redis://… npm start':
    'npm start is test/system/start.test.ts, the servers are those of the smoke test',
  'npm run build': STAGE,
  'npm run check:fresh': `${STAGE}, on fewer reads`,
  'npm run check:attack': `${STAGE}, with fewer requests`,
  'npm run simulate': `${STAGE}, in fewer orders`,
  'npm install && npm run demo': `${STAGE}, with an engine that answers sooner`,
  'npm run demo': `${STAGE}, with an engine that answers sooner`,
  'REDIS_URL=redis://… npm run demo:timetable': `${STAGE}, in one round`,
  'npm run bench': `${STAGE}, on one arm`,
  'npm run lint': STAGE,
  'npm run typecheck': STAGE,
  'npm run check:package': STAGE,
  'npm run test:unit': `${STAGE}, which runs the same files`,
};
