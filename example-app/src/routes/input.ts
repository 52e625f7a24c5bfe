// Reads parameters, filters and bodies, and says exactly what is wrong with them.
import type { Request, RequestHandler } from 'express';
import { viewerOf } from '../auth.js';
import { invalid, notFound, Problem } from '../problem.js';

const MAX_ID = 2_147_483_647;
const CODE = /^[A-Za-z0-9-]{1,16}$/;

/** A positive integer in the path. */
export function idOf(req: Request, name: string): number {
  const text = String(req.params[name]);
  const id = Number(text);
  if (!/^[0-9]{1,10}$/.test(text) || id < 1 || id > MAX_ID)
    throw new Problem(400, `${name} must be a positive integer, not "${text}".`, { parameter: name });
  return id;
}

/** Writes ids such as `007` as the plain id, so that rights, tags and queries all see the same. */
export function plainId(name: string): RequestHandler {
  return (req, _res, next) => {
    req.params[name] = String(idOf(req, name));
    next();
  };
}

/** The same for the id of a user, which may also be written `me`. */
export function plainUserId(name: string): RequestHandler {
  return (req, _res, next) => {
    req.params[name] = String(req.params[name] === 'me' ? viewerOf(req).id : idOf(req, name));
    next();
  };
}

/** A presentation code in the path. */
export function codeOf(req: Request): string {
  const code = String(req.params['code']);
  if (!CODE.test(code)) throw notFound(`presentation "${code}"`);
  return code;
}

/** Parameters as they came, or as the cache has read them. */
export interface Asked {
  readonly query: Readonly<Record<string, unknown>>;
}

function filter({ query }: Asked, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return value;
  throw new Problem(400, `Give ${name} once.`, { parameter: name });
}

/** A presentation code as filter; null without it. */
export function codeFilter(req: Asked, name: string): string | null {
  const value = filter(req, name);
  if (value === undefined) return null;
  if (!CODE.test(value)) throw new Problem(400, `${name} must be a code such as AAA-2013J.`, { parameter: name });
  return value;
}

/** One of the given words; null without it. */
export function wordFilter<T extends string>(req: Asked, name: string, words: readonly T[]): T | null {
  const value = filter(req, name);
  if (value === undefined) return null;
  const word = words.find((one) => one === value);
  if (word === undefined) throw new Problem(400, `${name} must be one of ${words.join(', ')}.`, { parameter: name });
  return word;
}

export function integerFilter(req: Asked, name: string, fallback: number, min: number, max: number): number {
  const value = filter(req, name);
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!/^[0-9]{1,9}$/.test(value) || number < min || number > max)
    throw new Problem(400, `${name} must be an integer from ${min} to ${max}.`, { parameter: name });
  return number;
}

/** A day (UTC); null without it. */
export function dayFilter(req: Request, name: string): string | null {
  const value = filter(req, name);
  if (value === undefined) return null;
  const at = /^\d{4}-\d{2}-\d{2}$/.test(value) ? new Date(`${value}T00:00:00Z`) : undefined;
  // The 31st of February would be one in March.
  if (at === undefined || Number.isNaN(at.getTime()) || !at.toISOString().startsWith(value))
    throw new Problem(400, `${name} must be a day such as 2026-01-31.`, { parameter: name });
  return value;
}

/** A positive integer that the query must have. */
export function idFilter(req: Request, name: string): number {
  const text = filter(req, name) ?? '';
  const id = Number(text);
  if (!/^[0-9]{1,10}$/.test(text) || id < 1 || id > MAX_ID)
    throw new Problem(400, `${name} must be a positive integer.`, { parameter: name });
  return id;
}

/** The JSON object of the body, with no members but the given ones. */
export function bodyOf<K extends string>(req: Request, members: readonly K[]): Partial<Record<K, unknown>> {
  const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
  if (hasBody && !req.is('application/json')) throw new Problem(415, 'Send the body as application/json.');
  const body: unknown = hasBody ? req.body : {};
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Problem(422, 'The body must be a JSON object.');
  const stranger = Object.keys(body).find((name) => !(members as readonly string[]).includes(name));
  if (stranger !== undefined)
    throw invalid(stranger, `The body may have ${members.join(', ')}, but not "${stranger}".`);
  return body as Partial<Record<K, unknown>>;
}

/** A number of the body. */
export function numberIn(field: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max)
    throw invalid(field, `${field} must be a number from ${min} to ${max}.`);
  return value;
}

export function integerIn(field: string, value: unknown, min: number, max: number): number {
  if (!Number.isInteger(numberIn(field, value, min, max)))
    throw invalid(field, `${field} must be an integer from ${min} to ${max}.`);
  return value as number;
}

export function textIn(field: string, value: unknown, maxLength: number): string {
  // PostgreSQL text cannot hold U+0000
  if (typeof value !== 'string' || value.trim() === '' || value.length > maxLength || value.includes('\u0000'))
    throw invalid(field, `${field} must be a text of 1 to ${maxLength} characters.`);
  return value;
}

export function wordIn<T extends string>(field: string, value: unknown, words: readonly T[]): T {
  const word = words.find((one) => one === value);
  if (word === undefined) throw invalid(field, `${field} must be one of ${words.join(', ')}.`);
  return word;
}

export const idIn = (field: string, value: unknown): number => integerIn(field, value, 1, MAX_ID);

/** A department's id; it need not be one that is there. */
export function departmentIn(field: string, value: unknown): string {
  const text = textIn(field, value, 16);
  if (!CODE.test(text)) throw invalid(field, `${field} must be letters, digits and -.`);
  return text;
}

export function idsIn(field: string, value: unknown, max: number): number[] {
  if (!Array.isArray(value) || value.length > max)
    throw invalid(field, `${field} must be a list of at most ${max} user ids.`);
  return [...new Set(value.map((id: unknown) => idIn(field, id)))];
}
