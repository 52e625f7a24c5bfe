// The TypeORM tests, each on both supported majors; they need PostgreSQL (DATABASE_URL).
import { fileURLToPath } from 'node:url';
import base from '../../jest.base.mjs';

const project = (displayName, aliases) => ({
  ...base,
  rootDir: fileURLToPath(new URL('../..', import.meta.url)),
  displayName,
  testMatch: ['<rootDir>/test/typeorm/**/*.test.ts'],
  moduleNameMapper: { ...base.moduleNameMapper, ...aliases },
});

export default {
  projects: [project('typeorm 1', {}), project('typeorm 0.3', { '^typeorm$': 'typeorm03' })],
};
