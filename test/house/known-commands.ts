// The shell commands that documentation may name, each with what runs it, so that none is only believed to work.

const STAGE = 'a stage of npm test';
const CLI = 'test/cli/commands.test.ts, with these options';

export const KNOWN_COMMANDS: Readonly<Record<string, string>> = {
  'npm install express-report-cache': 'scripts/check-package.mjs, from the packed tarball',
  'npx express-report-cache --help': 'scripts/check-package.mjs, from the packed tarball',
  'npx express-report-cache doctor --redis redis://… --database postgres://…':
    'scripts/check-package.mjs, and test/cli/doctor-database.test.ts',
  'npx express-report-cache stats --url https://…/api/reports/cache': CLI,
  'npx express-report-cache entries --redis redis://… --type analytics --sort bytes --order desc': CLI,
  'npx express-report-cache explain --redis redis://… --type analytics --report 5 --user 7': CLI,
  'npx express-report-cache invalidate --url https://…/api/reports/cache --tag student:5 --dry-run': CLI,
  'npx express-report-cache warm --url https://…/api/reports/cache --learned': CLI,
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
  'npm run check:dashboard -- screenshots': 'by hand: it measures for two minutes; test/dashboard runs the same page',
  'npm run check:attack': `${STAGE}, with fewer requests`,
  'npm run simulate': `${STAGE}, in fewer orders`,
  'npm install && npm run demo': `${STAGE}, with an engine that answers sooner`,
  'npm run demo': `${STAGE}, with an engine that answers sooner`,
  'REDIS_URL=redis://… npm run demo:timetable': `${STAGE}, in one round`,
  'npm run demo:monday -- --students 2000 --seconds 60': `${STAGE}, with fewer students`,
  'OULAD_DIR=/path/to/csv npm run demo:monday': `${STAGE}, the files example-app/test/oulad.test.ts`,
  'npm run bench': `${STAGE}, on one arm`,
  'npm run lint': STAGE,
  'npm run typecheck': STAGE,
  'npm run check:package': STAGE,
  'npm run test:unit': `${STAGE}, which runs the same files`,
};
