// The tests that need no server: `npm run test:unit`.
import base from './jest.base.mjs';

export default {
  ...base,
  reporters: ['default', '<rootDir>/test/support/no-skips.mjs'],
  testMatch: [
    '<rootDir>/test/{entry,options,core,http,metrics,house,check}/**/*.test.ts',
    '<rootDir>/test/outbox/{sweep,sweeper,migrations}.test.ts',
  ],
};
