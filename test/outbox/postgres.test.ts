// The outbox on a real PostgreSQL.
import { openPostgres } from './support/databases.js';
import { sqlOutboxSuite } from './support/sql-suite.js';

sqlOutboxSuite('the outbox on PostgreSQL', openPostgres);
