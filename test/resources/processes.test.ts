// Resources of organisations in several processes over one Redis.
import { once } from 'node:events';
import { afterEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createReportCache } from '../../src/index.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

interface School {
  courses: readonly string[];
  departments: number;
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it('one loads for all, and what one invalidates is gone for all, with what is derived from it', async () => {
  const namespace = ownNamespace();
  let courses = ['math'];
  const loaded: string[] = [];
  const process = async () => {
    const redis = new Redis(redisUrl(), { maxRetriesPerRequest: 1 });
    await redis.ping();
    const reports = createReportCache({ redis, namespace, redisDeadline: '5s', identify: () => null });
    closing.push(async () => {
      await reports.close();
      const ended = once(redis, 'end');
      redis.disconnect();
      await ended;
    });
    return reports.resources<School>({
      courses: {
        load: () => {
          loaded.push('courses');
          return courses;
        },
      },
      departments: {
        from: ['courses'],
        load: (sources) => {
          loaded.push('departments');
          return sources.courses.length;
        },
      },
    });
  };
  const one = await process();
  const other = await process();
  expect(await Promise.all([one.get('departments', 7), other.get('departments', 7)])).toEqual([1, 1]);
  expect(loaded).toEqual(['courses', 'departments']);
  courses = ['math', 'art'];
  await other.invalidate({ organization: 7, resource: 'courses' });
  expect(await one.get('departments', 7)).toBe(2);
  expect(await other.get('courses', 7)).toEqual(['math', 'art']);
  expect(loaded).toHaveLength(4);
});
