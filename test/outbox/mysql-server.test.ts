// What only MySQL and MariaDB have: a server that is restarted has another name, though nothing else tells.
import { describe, expect, it } from '@jest/globals';
import { onPath } from '../support/processes.mjs';
import { startMariadb } from '../support/mysql-service.mjs';
import { openMysql } from './support/databases.js';

const START_MS = 60_000;

describe('the name of the server', () => {
  if (onPath('mariadb-install-db') === undefined) {
    it.todo('is another one after a restart: needs an installed MariaDB');
    return;
  }
  it(
    'is another one after a restart, and no other within one second',
    async () => {
      const server = await startMariadb();
      const database = await openMysql(server.url);
      try {
        const { outbox, namespace } = database.outbox();
        const before = (await outbox.scan(1)).incarnation;
        const until = performance.now() + 1100;
        while (performance.now() < until) expect((await outbox.scan(1)).incarnation).toBe(before);
        await database.source.destroy();
        await server.restart();
        await database.source.initialize();
        expect((await database.outbox({ namespace }).outbox.scan(1)).incarnation).not.toBe(before);
      } finally {
        await database.close();
        await server.stop();
      }
    },
    START_MS,
  );
});
