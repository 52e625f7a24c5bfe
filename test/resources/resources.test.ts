// Resources of organisations: what is derived goes with what it is derived from, and nothing else does.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createReportCache, tableTag, type ResourceId, type ReportCache, type Resources } from '../../src/index.js';
import type { CacheEvent } from '../../src/contract/events.js';
import { ownNamespace } from '../support/isolation.js';
import { gate } from '../support/gate.js';

interface Course {
  readonly id: number;
  readonly departmentId: string;
}

interface School {
  courses: readonly Course[];
  config: { readonly hours: number };
  rooms: readonly string[];
  departments: readonly string[];
  slots: readonly string[];
  /** Derived, and yet its loader asks the tables itself. */
  load: number;
}

let reports: ReportCache;
let events: CacheEvent[];
let loaded: string[];
let school: Resources<School>;
/** What the database holds, by organisation and semester. */
let tables: Map<string, Course[]>;
let hours: number;
let broken: Set<string>;

const rows = (organization: ResourceId, semester: ResourceId | undefined) =>
  [...tables].flatMap(([key, courses]) => {
    const [own, term] = key.split('/');
    return own === String(organization) && (semester === undefined || term === String(semester)) ? courses : [];
  });

beforeEach(() => {
  events = [];
  loaded = [];
  tables = new Map([
    ['7/s1', [{ id: 1, departmentId: 'math' }]],
    ['7/s2', [{ id: 2, departmentId: 'art' }]],
    ['8/s1', [{ id: 3, departmentId: 'law' }]],
  ]);
  hours = 2;
  broken = new Set();
  reports = createReportCache({
    namespace: ownNamespace(),
    identify: () => null,
    onEvent: (event) => events.push(event),
  });
  const note = (name: string) => {
    loaded.push(name);
    if (broken.has(name)) throw new Error(`no ${name}`);
  };
  school = reports.resources<School>({
    courses: {
      ttl: '30m',
      tables: ['course'],
      load: async (_, { organization, semester }) => {
        note('courses');
        return rows(organization, semester);
      },
    },
    config: {
      ttl: '1d',
      tables: ['config'],
      load: () => {
        note('config');
        return { hours };
      },
    },
    rooms: {
      ttl: '1h',
      load: () => {
        note('rooms');
        return ['A1'];
      },
    },
    departments: {
      ttl: '2h',
      from: ['courses'],
      load: ({ courses }) => {
        note('departments');
        return [...new Set(courses.map(({ departmentId }) => departmentId))];
      },
    },
    slots: {
      ttl: '2h',
      from: ['config', 'departments'],
      load: ({ config, departments }) => {
        note('slots');
        // Made here: jest's modules have an Array of their own, and arrays of another are no plain data.
        return [...departments].flatMap((one) => Array.from({ length: config.hours }, (_, hour) => `${one}-${hour}`));
      },
    },
    load: {
      from: ['slots'],
      load: (_, { organization, semester }) => {
        note('load');
        return rows(organization, semester).length * hours;
      },
    },
  });
});
afterEach(() => reports.close());

/** Which of these would be loaded anew. */
async function gone(organization: number | string = 7, semester?: string): Promise<string[]> {
  loaded = [];
  await school.warm(organization, semester);
  return [...loaded].sort();
}

describe('resources', () => {
  it('give derived loaders their sources, each loaded once, and are cached', async () => {
    expect(await school.get('slots', 7)).toEqual(['math-0', 'math-1', 'art-0', 'art-1']);
    expect(loaded.sort()).toEqual(['config', 'courses', 'departments', 'slots']);
    expect(await school.get('departments', 7)).toEqual(['math', 'art']);
    expect(await school.get('slots', '7')).toHaveLength(4);
    expect(loaded).toHaveLength(4);
  });

  it('belong to one organisation and one semester', async () => {
    expect(await school.get('departments', 7, 's1')).toEqual(['math']);
    expect(await school.get('departments', 7, 's2')).toEqual(['art']);
    expect(await school.get('departments', 8, 's1')).toEqual(['law']);
    expect(await school.get('departments', 9)).toEqual([]);
  });

  it('that no semester differs in are one value for all of them', async () => {
    const asked: unknown[] = [];
    const campus = reports.resources<{ halls: string[]; terms: string[] }>({
      halls: {
        bySemester: false,
        load: (_, { semester }) => {
          asked.push(semester);
          return ['H1'];
        },
      },
      terms: { from: ['halls'], load: ({ halls }, { semester }) => halls.map((hall) => `${hall} ${semester}`) },
    });
    expect(await campus.get('halls', 7, 's1')).toEqual(['H1']);
    expect(await campus.get('terms', 7, 's1')).toEqual(['H1 s1']);
    expect(await campus.get('terms', 7, 's2')).toEqual(['H1 s2']);
    expect(await campus.get('halls', 7)).toEqual(['H1']);
    expect(asked).toEqual([undefined]);
    await campus.invalidate({ organization: 7, resource: 'halls', semester: 's2' });
    await campus.get('terms', 7, 's1');
    expect(asked).toEqual([undefined, undefined]);
  });

  it('are loaded once however many ask at the same time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => school.get('slots', 7)));
    expect(loaded.sort()).toEqual(['config', 'courses', 'departments', 'slots']);
  });

  it('are warmed, whatever fails, and say what did', async () => {
    broken.add('departments');
    expect(await school.warm(7)).toEqual({
      total: 6,
      loaded: ['courses', 'config', 'rooms'],
      failed: ['departments', 'slots', 'load'],
    });
    broken.clear();
    expect(await school.warm(7)).toMatchObject({ loaded: { length: 6 }, failed: [] });
  });

  it('store nothing of an error: neither of a loader nor of what is derived from it', async () => {
    broken.add('courses');
    await expect(school.get('slots', 7)).rejects.toThrow('no courses');
    expect(events.filter(({ kind }) => kind === 'stored')).toMatchObject([{ type: 'config' }]);
    broken.clear();
    expect(await school.get('slots', 7)).toHaveLength(4);
  });
});

describe('a change of a source', () => {
  beforeEach(async () => {
    for (const [organization, semester] of [[7], [8], [7, 's1'], [7, 's2']] as const)
      await school.warm(organization, semester);
  });
  const ofCourses = ['courses', 'departments', 'load', 'slots'];

  it('invalidates all that is derived from it, over any number of steps, and nothing else', async () => {
    expect(await gone()).toEqual([]);
    await school.invalidate({ organization: 7, resource: 'courses' });
    expect(await gone()).toEqual(ofCourses);
    expect(await gone(7, 's1')).toEqual(ofCourses);
    expect(await gone(8)).toEqual([]);
  });

  it('reaches derived ones only downwards', async () => {
    await school.invalidate({ organization: 7, resource: 'departments' });
    expect(await gone()).toEqual(['departments', 'load', 'slots']);
    await school.invalidate({ organization: 7, resource: 'config' });
    expect(await gone()).toEqual(['config', 'load', 'slots']);
  });

  it('reaches also whose loader asks the tables itself', async () => {
    tables.set('7/s1', []);
    await reports.invalidate(tableTag('course'));
    expect(await school.get('load', 7)).toBe(2);
  });

  it('in its table reaches every organisation', async () => {
    await reports.invalidate(tableTag('course'));
    expect(await gone(7)).toEqual(ofCourses);
    expect(await gone(8)).toEqual(ofCourses);
  });

  it('of one semester leaves the others, and takes what was loaded for all', async () => {
    expect(await school.invalidate({ organization: 7, resource: 'courses', semester: 's1' })).toHaveLength(2);
    expect(await gone(7, 's1')).toEqual(ofCourses);
    expect(await gone(7, 's2')).toEqual([]);
    expect(await gone(7)).toEqual(ofCourses);
  });

  it('can be all of an organisation, all of its semester, one resource of all organisations, or everything', async () => {
    const all = ['config', 'courses', 'departments', 'load', 'rooms', 'slots'];
    expect(await school.invalidate({ organization: 7 })).toEqual(['organization:7']);
    expect(await gone(7)).toEqual(all);
    expect(await gone(7, 's1')).toEqual(all);
    expect(await gone(8)).toEqual([]);
    await school.invalidate({ organization: '7', resource: 'all', semester: 's2' });
    expect(await gone(7, 's1')).toEqual([]);
    expect(await gone(7, 's2')).toEqual(all);
    expect(await school.invalidate({ resource: 'courses' })).toEqual(['courses:*']);
    expect(await gone(7, 's1')).toEqual(ofCourses);
    expect(await gone(8)).toEqual(ofCourses);
    await school.invalidate({});
    expect(await gone(8)).toEqual(all);
  });

  it('is one step, whatever the number of entries', async () => {
    events.length = 0;
    await school.invalidate({ organization: 7, resource: 'courses' });
    expect(events.filter(({ kind }) => kind === 'invalidate')).toMatchObject([
      { tags: ['courses:7'], cause: 'resource' },
    ]);
  });

  it('RACE while something derived is being loaded: that is not stored', async () => {
    await school.invalidate({ organization: 7, resource: 'courses' });
    const [arrived, go] = [gate(), gate()];
    const slow = reports.resources<{ list: readonly Course[]; sum: number }>({
      list: { load: () => rows(7, undefined) },
      sum: {
        from: ['list'],
        load: async ({ list }) => {
          arrived.open();
          await go.opened;
          return list.length;
        },
      },
    });
    const first = slow.get('sum', 7);
    await arrived.opened;
    tables.set('7/s3', [{ id: 9, departmentId: 'pe' }]);
    await slow.invalidate({ organization: 7, resource: 'list' });
    go.open();
    expect(await first).toBe(2);
    expect(await slow.get('sum', 7)).toBe(3);
  });

  it('reaches the report that reads a resource', async () => {
    const report = () =>
      reports.getOrLoad({ type: 'custom', report: 'r', share: 'everyone' }, async () => {
        loaded.push('report');
        return (await school.get('departments', 7)).length;
      });
    expect(await report()).toBe(2);
    await school.invalidate({ organization: 7, resource: 'courses' });
    tables.set('7/s3', [{ id: 9, departmentId: 'pe' }]);
    expect(await report()).toBe(3);
  });
});

describe('a declaration', () => {
  const code = (expected: string, message: RegExp = /./) =>
    expect.objectContaining({ code: expected, message: expect.stringMatching(message) });
  const load = () => 1;
  interface Three {
    a: number;
    b: number;
    c: number;
  }

  it('in a circle is refused, and the circle named', () => {
    expect(() =>
      reports.resources<Three>({ a: { from: ['c'], load }, b: { from: ['a'], load }, c: { from: ['b'], load } }),
    ).toThrow(code('ERC_RESOURCE', /a ← c ← b ← a/));
    expect(() => reports.resources<{ x: number }>({ x: { from: ['x' as never], load } })).toThrow(
      code('ERC_RESOURCE', /x ← x/),
    );
    // Two ways to the same source are no circle.
    reports.resources<Three>({ a: { load }, b: { from: ['a'], load }, c: { from: ['a', 'b'], load } });
  });

  it('with an unknown source, a name that is taken, or a wrong option is refused', () => {
    const declare = (what: object) => () => reports.resources(what as never);
    expect(declare({ a: { from: ['z'], load } })).toThrow(code('ERC_RESOURCE', /"z"/));
    for (const taken of ['all', 'organization', 'viewer', 'table', 'analytics'])
      expect(declare({ [taken]: { load } })).toThrow(code('ERC_RESOURCE', /taken/));
    expect(declare({ 'a b': { load } })).toThrow(code('ERC_TAG'));
    expect(declare({ a: { load, often: true } })).toThrow(code('ERC_OPTION'));
    expect(declare({ a: { ttl: 5, load } })).toThrow(code('ERC_OPTION'));
    expect(declare({ a: { load, bySemester: 'no' } })).toThrow(code('ERC_OPTION', /bySemester/));
    expect(declare({ a: {} })).toThrow(code('ERC_OPTION'));
    expect(declare(Object.fromEntries(Array.from({ length: 41 }, (_, at) => [`r${at}`, { load }])))).toThrow(
      code('ERC_RESOURCE'),
    );
  });

  it('of as many as there may be fits into one entry', async () => {
    const names = Array.from({ length: 40 }, (_, at) => `r${at}`);
    const chain = reports.resources<Record<string, number>>(
      Object.fromEntries(names.map((name, at) => [name, { from: names.slice(0, at), load: () => at }])) as never,
    );
    expect(await chain.get('r39', 7)).toBe(39);
    expect(events.filter(({ kind }) => kind === 'declined')).toEqual([]);
  });

  it('lets no loader read what its `from` does not name', async () => {
    const sly = reports.resources<Three>({ a: { load }, b: { load: ({ a }) => a }, c: { load } });
    await expect(sly.get('b', 7)).rejects.toEqual(code('ERC_RESOURCE', /"b" reads "a"/));
  });

  it('answers nonsense with errors', async () => {
    await expect(school.get('nonsense' as never, 7)).rejects.toEqual(code('ERC_RESOURCE'));
    await expect(school.get('courses', '')).rejects.toEqual(code('ERC_TAG'));
    await expect(school.invalidate({ resource: 'nonsense' as never })).rejects.toEqual(code('ERC_RESOURCE'));
    await expect(school.invalidate({ semester: 's1' })).rejects.toEqual(code('ERC_RESOURCE'));
    await expect(school.invalidate({ organization: '' })).rejects.toEqual(code('ERC_TAG'));
  });
});
