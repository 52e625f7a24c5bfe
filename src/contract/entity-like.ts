// How the host names an entity, or its table: all that is known of TypeORM outside of its room.

/** An entity: its class, or the name or schema of one that has no class. */
export type EntityLike<E> =
  (abstract new (...args: never[]) => E) | string | { readonly options: { readonly name: string } };
