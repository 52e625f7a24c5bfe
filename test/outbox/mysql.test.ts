// The outbox on a real MySQL or MariaDB, where there is one: else the run names it as skipped, and fails under CI.
import { describe, it } from '@jest/globals';
import { mysqlUrl, openMysql } from './support/databases.js';
import { sqlOutboxSuite } from './support/sql-suite.js';

describe('the outbox on MySQL', () => {
  if (mysqlUrl) sqlOutboxSuite(openMysql);
  else it.todo('needs MYSQL_URL or a server on 127.0.0.1:3306');
});
