// `doctor`: looks at everything that the cache depends on, and says what is not as it should be.
import type { Health } from '../../contract/health.js';
import { DEFAULTS } from '../../options/defaults.js';
import { parseSize } from '../../options/duration.js';
import type { Command } from '../command.js';
import { CliFailure, failed, usageError } from '../failures.js';
import type { ApiWay, RedisWay } from '../way.js';
import { databaseFacts } from './database-facts.js';
import { finding, findingsText, isBad, SEVERITIES, type Finding } from './finding.js';
import { judgeDatabase } from './judge-database.js';
import { judgeAddress, judgeHealth, judgeSchedule } from './judge-health.js';
import { judgeNamespace } from './judge-namespace.js';
import { judgeServer } from './judge-server.js';
import { redisFacts, type RedisFacts } from './redis-facts.js';

export const doctor: Command = {
  summary: 'Looks at Redis, the database and a process, and says what is wrong and what to do',
  ways: ['url', 'redis'],
  flags: {
    database: {
      type: 'string',
      value: '<url>',
      env: 'REPORT_CACHE_DATABASE',
      summary: 'The database with the outbox, too: postgres://, mysql://, mariadb://',
    },
    schema: {
      type: 'string',
      value: '<name>',
      summary: 'Where its tables are. Default: where the connection looks first',
    },
    'acl-user': {
      type: 'string',
      value: '<name>',
      summary: 'Whose permissions in Redis to check. Default: who is connected',
    },
    budget: {
      type: 'string',
      value: '<size>',
      summary: `redisMaxBytes of the cache. Default: ${DEFAULTS.redisMaxBytes}`,
    },
  },
  notes: [
    'Looks, and changes nothing. At least one of --url, --redis and --database; what cannot be reached is a finding when there',
    'is something else to look at.',
  ],
  async run({ given, env, host, clock, open }) {
    const database = given.text('database') ?? (env['REPORT_CACHE_DATABASE'] || undefined);
    const budget = budgetOf(given.text('budget') ?? String(DEFAULTS.redisMaxBytes));
    const { url, redis } = open.all();
    const places = [url, redis, database].filter((one) => one !== undefined).length;
    if (places === 0) throw usageError('Name what to look at: --url, --redis or --database.');
    /** What cannot be looked at is the end where there is nothing else. */
    const orLost = async (code: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> => {
      try {
        return await look();
      } catch (error) {
        if (places > 1 && error instanceof CliFailure && error.exit !== 'usage') return [lostOf(code, error)];
        throw error;
      }
    };
    const findings: Finding[] = [];
    let epoch: string | null | undefined;
    if (url) findings.push(...(await orLost('api', () => lookAtProcess(url))));
    if (redis)
      findings.push(
        ...(await orLost('redis', async () => {
          const way = await redis();
          try {
            const facts = await redisFacts(way, given.text('acl-user'), clock);
            epoch = facts.namespace.head.ep;
            return judgeRedis(way, facts, budget);
          } finally {
            await way.close();
          }
        })),
      );
    if (database !== undefined) {
      const namespace = given.text('namespace') ?? DEFAULTS.namespace;
      const address = { url: database, schema: given.text('schema'), namespace };
      findings.push(
        ...(await orLost('database', async () => judgeDatabase(await databaseFacts(address, host), epoch))),
      );
    }
    const worst = SEVERITIES.findLast((severity) => findings.some((one) => one.severity === severity)) ?? 'ok';
    return {
      document: { worst, findings },
      text: (style) => findingsText(findings, style),
      failed: findings.some(isBad),
    };
  },
};

function judgeRedis({ namespace }: RedisWay, facts: RedisFacts, budget: number): Finding[] {
  const now = facts.times.at(-1)?.there ?? 0;
  return [...judgeServer(facts), ...judgeNamespace(namespace, facts.namespace, facts.info, now, budget)];
}

function budgetOf(size: string): number {
  try {
    return parseSize(/^\d+$/.test(size) ? Number(size) : size, '--budget');
  } catch {
    throw usageError('--budget takes a size such as 256mb.');
  }
}

const lostOf = (code: string, { message }: CliFailure): Finding =>
  finding(
    'error',
    `${code}-unreachable`,
    message,
    'Nothing of it could be looked at.',
    'Compare the address and the credentials with those of the application, and look at the network between.',
  );

async function lookAtProcess(way: ApiWay): Promise<Finding[]> {
  const { body } = await way.ask('GET', '/health');
  const health = body as unknown as Health;
  if (typeof health.state !== 'string' || !Array.isArray(health.reasons))
    throw failed(`There is no management API at ${way.name}.`);
  const schedule = await way.ask('GET', '/schedule');
  return [...judgeAddress(way.url), ...judgeHealth(health), ...judgeSchedule(schedule.body)];
}
