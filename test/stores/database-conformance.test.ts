// The store in the database passes what every store promises, on each kind of database.
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { storeSuite } from '../../src/testing/store-suite.js';
import { PersistedDatabase, type Kind } from './support/persisted.js';

const KINDS: readonly Kind[] = ['postgres', 'mysql', 'sqljs'];

describe.each(KINDS)('entries in %s', (kind) => {
  if (kind === 'mysql' && !process.env['MYSQL_URL']) {
    it.todo('need MYSQL_URL or a server on 127.0.0.1:3306');
    return;
  }
  let database: PersistedDatabase;
  beforeAll(async () => {
    database = await PersistedDatabase.open(kind);
  });
  afterAll(() => database.close());
  storeSuite({ describe, it }, kind, () => database.harness());
});
