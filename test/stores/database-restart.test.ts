// A database server that is restarted: what it keeps is served, and what was captured before is compared with nothing after.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { makeEntry } from '../../src/testing/store-suite.js';
import { startPrivatePostgres, type PrivatePostgres } from '../support/private-postgres.js';
import { PersistedDatabase } from './support/persisted.js';

const START_MS = 30_000;

let server: PrivatePostgres;
let database: PersistedDatabase;
beforeAll(async () => {
  server = await startPrivatePostgres();
  database = await PersistedDatabase.open('postgres', { url: server.url });
}, START_MS);
afterAll(async () => {
  await database.close();
  await server.stop();
}, START_MS);

it(
  'entries outlive a restart; a computation that began before it is refused',
  async () => {
    const { store, fill, close, namespace } = database.store();
    await fill('kept');
    const captured = await store.position();
    await close();
    await database.source.destroy();
    await server.restart();
    await database.source.initialize();
    const next = database.store({ namespace });
    expect(await next.look('kept')).toBe('hit');
    const entry = makeEntry(captured, database.clock.now());
    // The server may have come back without its last commits, of which this one may show some.
    expect(await next.store.put('late', entry)).toBe('epoch');
    expect(await next.look('late')).toBe('absent');
    await next.close();
  },
  START_MS,
);
