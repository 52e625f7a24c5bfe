// Values of loaders to and from bytes, such that they come back the same: dates, maps, sets, bigints, nested lists.
import { deserialize, serialize } from 'node:v8';
import { ReportCacheError } from '../contract/errors.js';

/** Turns a loader's values into bytes and back; give one of your own for class instances such as decimals. */
export interface ValueCodec {
  encode(value: unknown): Buffer;
  decode(bytes: Buffer): unknown;
}

const PLAIN = new Set<unknown>([Object.prototype, Array.prototype, Date.prototype, Map.prototype, Set.prototype, null]);

/**
 * Node's structured-clone format: every Node reads what an older one wrote, and what it cannot read counts as a miss.
 * It would silently strip a class instance of its class, so such values are refused instead.
 */
export const structuredCodec: ValueCodec = {
  encode(value) {
    assertPlain(value, new Set());
    return serialize(value);
  },
  decode: (bytes) => deserialize(bytes) as unknown,
};

/** @throws ERC_VALUE for functions, symbols and instances of classes. */
function assertPlain(value: unknown, seen: Set<object>): void {
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new ReportCacheError('ERC_VALUE', `A ${typeof value} cannot be cached.`);
  }
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return;
  if (!PLAIN.has(Object.getPrototypeOf(value))) {
    throw new ReportCacheError(
      'ERC_VALUE',
      `An instance of ${value.constructor?.name ?? 'a class'} would come back as a plain object.`,
    );
  }
  if (value instanceof Map) {
    for (const [key, member] of value) {
      assertPlain(key, seen);
      assertPlain(member, seen);
    }
  } else if (value instanceof Set) {
    for (const member of value) assertPlain(member, seen);
  } else {
    for (const member of Object.values(value)) assertPlain(member, seen);
  }
}

/**
 * JSON, for what is kept for years and looked at by people: only what it can hold is taken, so that it comes back the same.
 */
export const jsonCodec: ValueCodec = {
  encode(value) {
    assertJson(value, new Set());
    return Buffer.from(JSON.stringify(value));
  },
  decode: (bytes) => JSON.parse(bytes.toString()) as unknown,
};

/** @throws ERC_VALUE for what JSON would leave out or turn into something else. */
function assertJson(value: unknown, around: ReadonlySet<object>): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  const plain = Array.isArray(value) || (typeof value === 'object' && PLAIN_OBJECTS.has(Object.getPrototypeOf(value)));
  if (!plain || around.has(value as object)) throw new ReportCacheError('ERC_VALUE', `${nameOf(value)} is no JSON.`);
  for (const member of Object.values(value as object)) assertJson(member, new Set([...around, value as object]));
}

const PLAIN_OBJECTS = new Set<unknown>([Object.prototype, null]);

function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value === 'number' ? String(value) : typeof value;
  return PLAIN_OBJECTS.has(Object.getPrototypeOf(value)) || Array.isArray(value)
    ? 'What contains itself'
    : `An instance of ${value.constructor?.name ?? 'a class'}`;
}
