// What the compiler says of resources: values, sources and names are those of the declared shape.
import type { ReportCache, Resources } from '../../src/index.js';

interface School {
  courses: { readonly departmentId: string }[];
  departments: string[];
}

declare const reports: ReportCache;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(proof: Same<A, B>): boolean => proof;

export async function checks(): Promise<void> {
  const school: Resources<School> = reports.resources<School>({
    courses: { ttl: '30m', load: async () => [{ departmentId: 'math' }] },
    departments: {
      from: ['courses'],
      load: (sources, { organization, semester }) => {
        same<typeof sources.courses, { readonly departmentId: string }[]>(true);
        same<typeof organization, string | number | bigint>(true);
        same<typeof semester, string | number | bigint | undefined>(true);
        // @ts-expect-error its own value is no source of it
        void sources.departments;
        return sources.courses.map(({ departmentId }) => departmentId);
      },
    },
  });
  const departments = await school.get('departments', 7);
  same<typeof departments, string[]>(true);
  // @ts-expect-error there is no such resource
  await school.get('rooms', 7);
  // @ts-expect-error nor can it be invalidated
  await school.invalidate({ organization: 7, resource: 'rooms' });
  await school.invalidate({ organization: 7, resource: 'all' });

  // @ts-expect-error every resource of the shape is declared
  reports.resources<School>({ courses: { load: () => [] } });
  reports.resources<School>({
    courses: { load: () => [] },
    // @ts-expect-error the loader returns something else than the shape says
    departments: { load: () => [5] },
  });
  reports.resources<School>({
    courses: {
      // @ts-expect-error there is no such source
      from: ['rooms'],
      load: () => [],
    },
    departments: { load: () => [] },
  });
}
