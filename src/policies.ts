// The policies of report types and resources, and what follows from all of them together.
import { ReportCacheError } from './contract/errors.js';
import { longestTtl } from './core/adaptive-ttl.js';
import { BOUNDS } from './options/defaults.js';
import type { TypePolicy } from './options/parse.js';

export interface PolicyListeners {
  /** Some entries are to outlive the other layers in the database. */
  readonly persists: () => void;
  /** Some are served from memory without asking, by processes that writers wait for. */
  readonly barrier: () => void;
}

export class Policies {
  readonly #resources = new Map<string, TypePolicy>();
  #maxTtlMs = 0;
  #persists = false;

  constructor(
    private readonly types: ReadonlyMap<string, TypePolicy>,
    private readonly listeners: PolicyListeners,
  ) {
    for (const policy of types.values()) this.follow(policy);
  }

  /** The longest that an entry lives in memory and Redis, ms. */
  get maxTtlMs(): number {
    return this.#maxTtlMs;
  }

  get persists(): boolean {
    return this.#persists;
  }

  /** @throws ERC_TYPE_UNKNOWN */
  of(type: string): TypePolicy {
    const policy = this.types.get(type);
    if (policy !== undefined) return policy;
    throw new ReportCacheError(
      'ERC_TYPE_UNKNOWN',
      `There is no report type "${type}"; there are ${[...this.types.keys()].join(', ')}.`,
    );
  }

  /** Whether a report type or a resource has this name. */
  has(name: string): boolean {
    return this.types.has(name) || this.#resources.has(name);
  }

  isResource(name: string): boolean {
    return this.#resources.has(name);
  }

  addResource(name: string, policy: TypePolicy): void {
    this.#resources.set(name, this.follow(policy));
  }

  /** Of a type or a resource, as far as it says what is served. */
  look(name: string): { readonly graceMs: number; readonly off: boolean } | undefined {
    const policy = this.types.get(name) ?? this.#resources.get(name);
    return policy && { graceMs: policy.freshness.graceMs, off: policy.ttlMs <= 0 };
  }

  /** Entries will be made by this policy. */
  follow<P extends TypePolicy>(policy: P): P {
    const { graceMs, adaptive } = policy.freshness;
    const livesMs = longestTtl(policy.ttlMs, adaptive) + graceMs;
    this.#maxTtlMs = Math.max(this.#maxTtlMs, policy.persist ? Math.min(livesMs, BOUNDS.persistedInFrontMs) : livesMs);
    if (policy.persist) {
      this.#persists = true;
      this.listeners.persists();
    }
    if (policy.consistency === 'barrier') this.listeners.barrier();
    return policy;
  }
}
