// Who is looking: the part of every key that keeps one user's report from another.

export interface Identity {
  /** The viewer's id. Empty, missing or not a string, number or bigint means: not identified, so BYPASS. */
  readonly user: string | number | bigint;
  /** School or organisation, when user ids are unique only inside one. */
  readonly tenant?: string | number | bigint | undefined;
  /** Role, when one user sees different reports in different roles. */
  readonly role?: string | undefined;
}

/**
 * How far one entry may be shared. `user` is the default; every other value is an explicit choice of the route:
 * `role` = same tenant and role, `tenant` = same tenant, `everyone` = no identity needed.
 */
export type Share = 'user' | 'role' | 'tenant' | 'everyone';
