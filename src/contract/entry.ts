// An entry: the bytes of one answer with everything needed to judge and to send them.
import type { Cost } from './costs.js';

/** Version of the stored form. Part of every entry's name in a shared store, so releases never read each other's bytes. */
export const WIRE_VERSION = 1;

/** A point in the history of invalidations: `seq` counts them, `epoch` changes whenever the count was lost. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
  /** How far a replica of the database must have replayed to show everything up to here: a WAL position, 16 hex digits. */
  readonly lsn?: string;
  /** How far the database's own history of invalidations had come by then, for what is to outlive this one. */
  readonly database?: DatabasePosition;
  /** False: the watermark is dead. Nobody vouches that committed writes have been invalidated, so nothing may be served. */
  readonly live?: boolean;
}

/** A point in the history that the database keeps for persisted entries. An older one than need be only refuses more. */
export interface DatabasePosition {
  readonly epoch: string;
  readonly seq: number;
}

/** One stored header field; repeated lines stay repeated lines. */
export type HeaderField = readonly [name: string, value: string | readonly string[]];

/** Content codings that a body can be kept in (RFC 9110 §8.4.1; zstd: RFC 8878). */
export type Coding = 'br' | 'zstd' | 'gzip';

/** What a body can be sent as: in a coding, or as the handler wrote it. */
export type Form = 'identity' | Coding;

export interface Entry {
  /** The bytes to send: an HTTP body, or an encoded value of a loader. In the form that `coding` names. */
  readonly body: Buffer;
  /** The content coding of `body`; absent: none. A shared store gives an entry back in the one form that it keeps. */
  readonly coding?: Coding;
  /** The same body in other forms, made after it was stored. */
  readonly forms?: Readonly<Partial<Record<Form, Buffer>>>;
  /** HTTP status; 0 for a loader's value. */
  readonly status: number;
  /** Header fields that the handler set, as it spelled them. */
  readonly headers: readonly HeaderField[];
  /** Entity-tag over the bytes, quotes and `W/` included; empty for a loader's value. */
  readonly etag: string;
  /** Report type: names the policy. */
  readonly type: string;
  /** Whose memory budget the entry counts against: the identity segment of its key. */
  readonly owner: string;
  /** Wall clock, ms: when the computation began, so a slow report is not younger than its data. */
  readonly createdAt: number;
  /** Wall clock, ms: fresh before this. */
  readonly staleAt: number;
  /** Wall clock, ms: never served at or after this; between the two only under a grace. */
  readonly deleteAt: number;
  /** How long the computation took, ms. */
  readonly computeMs: number;
  /** With which ttl it is computed anew, ms, less the jitter; absent: its type's. Where ttls adapt. */
  readonly nextTtlMs?: number;
  /** What the computation has told that it cost; absent: nothing. */
  readonly cost?: Cost;
  /** The tags that invalidate it, whole-kind tags included. */
  readonly tags: readonly string[];
  /** The position captured before the computation's first read. */
  readonly epoch: string;
  readonly asOf: number;
  /** The same in the history of the database: it is to be persisted, or was found there. */
  readonly database?: DatabasePosition;
}

/** Bytes that a value mixed into a computation was current as of: what it depends on, and since when. */
export interface Dependency {
  readonly tags: readonly string[];
  readonly epoch: string;
  readonly asOf: number;
  /** The same in the history of the database; absent: it has no place there. */
  readonly database?: DatabasePosition;
  /** Where it was past its ttl when it was mixed in, wall clock, ms: what is built from it is no fresher. */
  readonly staleAt?: number;
}
