// Resources of organisations over cached values: each loader gets its sources from the cache, each entry what invalidates them.
import { ReportCacheError } from '../contract/errors.js';
import type {
  ResourceId,
  ResourceDeclarations,
  ResourceOptions,
  ResourcePolicy,
  Resources,
  ResourceScope,
  ResourceSelection,
  Sources,
  Warmed,
} from '../options/resources.js';
import type { TypePolicy } from '../options/parse.js';
import type { ValueCodec } from '../entry/value-codec.js';
import { refuseCycles } from './cycles.js';
import { selected, tagsOf } from './resource-tags.js';

/** A value of a resource, as the cache is asked for it. */
export interface ResourceRequest {
  readonly type: string;
  readonly policy: TypePolicy;
  readonly organization: ResourceId;
  readonly filters: { readonly semester?: string };
  readonly tags: readonly string[];
  readonly codec: ValueCodec | undefined;
  /** Nobody reads it: it is made ready. */
  readonly warms: boolean;
}

/** One resource, to be made ready. */
export interface ResourceJob {
  readonly type: string;
  readonly report: string;
  make(): Promise<{ readonly computed: boolean }>;
}

export interface CreatedResources<M> {
  readonly resources: Resources<M>;
  /** All of an organisation, of all semesters. */
  readonly jobs: (organization: string) => readonly ResourceJob[];
}

export interface ResourcesParts {
  /** A cached value: looked up, or loaded and kept. */
  load<T>(request: ResourceRequest, loader: (run: Pick<ResourceScope, 'addTags'>) => T | Promise<T>): Promise<T>;
  invalidate(tags: readonly string[], cause: string): Promise<void>;
}

/** @throws ERC_RESOURCE for a cycle. */
export function createResources<M>(
  declared: ResourceDeclarations<M>,
  policies: readonly ResourcePolicy[],
  parts: ResourcesParts,
): CreatedResources<M> {
  refuseCycles(policies);
  const byName = new Map(policies.map((one) => [one.name, one]));
  const names = policies.map(({ name }) => name) as (keyof M & string)[];

  const known = (name: string): ResourcePolicy => {
    const found = byName.get(name);
    if (found !== undefined) return found;
    throw new ReportCacheError('ERC_RESOURCE', `There is no resource "${name}"; there are ${names.join(', ')}.`);
  };

  async function get<K extends keyof M & string>(
    name: K,
    organization: ResourceId,
    asked?: ResourceId,
    warms = false,
    loads: () => void = () => undefined,
  ): Promise<M[K]> {
    const { policy, tableTags, bySemester } = known(name);
    const semester = bySemester ? asked : undefined;
    const options: ResourceOptions<M, K> = declared[name];
    const request = {
      type: name,
      policy,
      organization,
      filters: semester === undefined ? {} : { semester: String(semester) },
      tags: [...tagsOf(name, organization, semester), ...tableTags],
      codec: options.codec,
      warms,
    };
    // Its sources are read in front of the loader, whatever that reads: so what invalidates them invalidates it.
    return parts.load(request, async ({ addTags }) => {
      loads();
      return options.load(await sourcesOf(name, organization, semester, warms), { organization, semester, addTags });
    });
  }

  async function sourcesOf<K extends keyof M & string>(
    name: K,
    organization: ResourceId,
    semester: ResourceId | undefined,
    warms: boolean,
  ): Promise<Sources<M, K>> {
    const from = known(name).from as (keyof M & string)[];
    const loaded = await Promise.all(
      from.map(async (source) => [source, await get(source, organization, semester, warms)] as const),
    );
    const sources = {};
    for (const other of names)
      Object.defineProperty(sources, other, { get: () => notNamed(name, other), configurable: true });
    for (const [source, value] of loaded) Object.defineProperty(sources, source, { value, enumerable: true });
    return sources as Sources<M, K>;
  }

  const resources: Resources<M> = {
    get: (name, organization, semester) => get(name, organization, semester),

    async invalidate({ organization, resource = 'all', semester }: ResourceSelection<M>) {
      if (resource !== 'all') known(resource);
      const tags = selected(resource, organization, semester);
      await parts.invalidate(tags, 'resource');
      return tags;
    },

    async warm(organization, semester): Promise<Warmed<M>> {
      const loaded: (keyof M & string)[] = [];
      const failed: (keyof M & string)[] = [];
      // What several are derived from is loaded once: they wait for it.
      await Promise.all(
        names.map((name) =>
          get(name, organization, semester, true).then(
            () => loaded.push(name),
            () => failed.push(name),
          ),
        ),
      );
      return { total: names.length, loaded: inOrder(names, loaded), failed: inOrder(names, failed) };
    },
  };

  const job = (name: keyof M & string, organization: string): ResourceJob => ({
    type: name,
    report: organization,
    async make() {
      let computed = false;
      await get(name, organization, undefined, true, () => {
        computed = true;
      });
      return { computed };
    },
  });
  return { resources, jobs: (organization) => names.map((name) => job(name, organization)) };
}

function inOrder<T>(all: readonly T[], some: readonly T[]): T[] {
  return all.filter((one) => some.includes(one));
}

function notNamed(name: string, other: string): never {
  throw new ReportCacheError(
    'ERC_RESOURCE',
    `The loader of "${name}" reads "${other}", which its \`from\` does not name.`,
  );
}
