// The outbox on a real PostgreSQL.
import { describe } from '@jest/globals';
import { openPostgres } from './support/databases.js';
import { sqlOutboxSuite } from './support/sql-suite.js';

describe('the outbox on PostgreSQL', () => {
  sqlOutboxSuite(openPostgres);
});
