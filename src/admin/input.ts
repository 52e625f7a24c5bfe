// What a client has sent, taken for what a route has declared, or refused with what would do.
import { badRequest, type AdminRoute, type Field } from './exchange.js';

/** @throws a problem for members that are not declared, and for values that do not fit */
export function checkInput({ query = {}, body = {} }: AdminRoute, sent: Sent): void {
  checkMembers('query parameter', sent.query, query, (value, { type }) =>
    type === 'boolean' ? value === 'true' || value === 'false' : true,
  );
  checkMembers('member', sent.body, body, fits);
}

interface Sent {
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

function checkMembers<T>(
  what: string,
  sent: Readonly<Record<string, T>>,
  declared: Readonly<Record<string, Field>>,
  isFit: (value: T, field: Field) => boolean,
): void {
  for (const [name, value] of Object.entries(sent)) {
    const field = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (field === undefined)
      throw badRequest(`There is no ${what} "${name.slice(0, 64)}"; there are ${listed(declared)}.`);
    if (!isFit(value, field) || (field.enum && !field.enum.includes(String(value))))
      throw badRequest(`"${name}" takes ${field.enum?.join(', ') ?? field.type}: ${field.description}`);
  }
}

function fits(value: unknown, { type, free = false }: Field): boolean {
  switch (type) {
    case 'array':
      return (
        Array.isArray(value) &&
        value.length > 0 &&
        value.length <= MOST &&
        value.every((one) => isText(one) || Number.isSafeInteger(one))
      );
    case 'object':
      return free ? isRecord(value) : isFacts(value);
    case 'string':
      return isText(value) || Number.isSafeInteger(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'boolean':
      return typeof value === 'boolean';
  }
}

/** Members of a list, and letters of a text. */
const MOST = 1000;
const LONGEST = 1000;

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= LONGEST;

const isRecord = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isFacts(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const facts = Object.values(value);
  return facts.length <= MOST && facts.every((one) => isText(one) || Number.isSafeInteger(one));
}

function listed(declared: Readonly<Record<string, Field>>): string {
  return Object.keys(declared).join(', ') || 'none';
}
