// The moment before the headers go out: every way to send them ends in writeHead, so only that is patched.
import type { ServerResponse } from 'node:http';

type HeaderValue = number | string | readonly string[];

/** Header changes that can be taken back, should sending the headers fail and another answer be tried. */
export class Edits {
  readonly #res: ServerResponse;
  readonly #made = new Map<
    string,
    { readonly before: HeaderValue | undefined; readonly after: HeaderValue | undefined }
  >();

  constructor(res: ServerResponse) {
    this.#res = res;
  }

  set(name: string, value: HeaderValue): void {
    const before = this.#res.getHeader(name);
    this.#res.setHeader(name, value);
    this.#note(name, before);
  }

  remove(name: string): void {
    const before = this.#res.getHeader(name);
    if (before === undefined) return;
    this.#res.removeHeader(name);
    this.#note(name, before);
  }

  /** Takes back what nobody has changed since. */
  undo(): void {
    for (const [name, { before, after }] of this.#made) {
      if (this.#res.getHeader(name) !== after) continue;
      if (before === undefined) this.#res.removeHeader(name);
      else this.#res.setHeader(name, before);
    }
    this.#made.clear();
  }

  #note(name: string, before: HeaderValue | undefined): void {
    const first = this.#made.get(name);
    this.#made.set(name, { before: first === undefined ? before : first.before, after: this.#res.getHeader(name) });
  }
}

/** A method as it is now, own or inherited, bound to its response: what a patch calls in the end. */
export function methodOf(res: ServerResponse, name: 'writeHead' | 'write' | 'end'): (...args: unknown[]) => unknown {
  const method = Reflect.get(res, name) as (...args: unknown[]) => unknown;
  return (...args) => Reflect.apply(method, res, args);
}

/**
 * Puts a method of its own on this response. Bound, though it needs no `this`: what a function that is set on an object
 * refers to is kept by V8 until a full collection, the whole request with it, and what a bound one refers to is not.
 */
export function patch(
  res: ServerResponse,
  name: 'writeHead' | 'write' | 'end',
  method: (...args: unknown[]) => unknown,
): void {
  Reflect.set(res, name, method.bind(undefined));
}

/**
 * Calls `prepare` once everything behind this middleware has set its headers (a hook of `on-headers` there wraps this
 * one) and before hooks in front run. `prepare` returns the status to send. It runs again if sending failed, e.g. on an
 * invalid reason phrase, and another answer is tried; a throw of its own is for `failed` and changes nothing.
 */
export function interceptHead(
  res: ServerResponse,
  prepare: (edits: Edits) => number,
  failed: (error: unknown) => void,
): void {
  const original = methodOf(res, 'writeHead');
  const edits = new Edits(res);
  patch(res, 'writeHead', (...args) => {
    const status = Number(args[0]) | 0;
    // Already sent, or no status at all: Node's own error is the right one.
    if (res.headersSent || status < 100 || status > 999) {
      return original(...args);
    }
    edits.undo();
    applyArguments(res, status, args);
    const asked = res.statusCode;
    let sent = asked;
    try {
      sent = prepare(edits);
    } catch (error) {
      edits.undo();
      failed(error);
    }
    // A reason phrase belongs to the status that it was written for.
    if (sent !== asked) res.statusMessage = '';
    return original(sent);
  });
}

/** Merges what writeHead was given as Node does: an object, a flat array, or an array of pairs; a name given twice stays two lines. */
function applyArguments(res: ServerResponse, status: number, args: readonly unknown[]): void {
  const [, second, third] = args;
  res.statusCode = status;
  if (typeof second === 'string') res.statusMessage = second;
  const headers = typeof second === 'string' ? third : (third ?? second);
  if (headers === null || typeof headers !== 'object') return;

  const merged = new Map<string, { readonly name: string; readonly values: HeaderValue[] }>();
  for (const [name, value] of pairsOf(headers)) {
    if (name === '') continue;
    const same = merged.get(name.toLowerCase());
    if (same === undefined) merged.set(name.toLowerCase(), { name, values: [value] });
    else same.values.push(value);
  }
  for (const { name, values } of merged.values()) {
    const [only] = values;
    res.setHeader(name, values.length === 1 && only !== undefined ? only : values.flat().map(String));
  }
}

function pairsOf(headers: object): [string, HeaderValue][] {
  if (!Array.isArray(headers)) return Object.entries(headers) as [string, HeaderValue][];
  if (Array.isArray(headers[0])) return (headers as [string, HeaderValue][]).map(([name, value]) => [name, value]);
  if (headers.length % 2 !== 0) throw new TypeError('writeHead() was given an array of headers of odd length.');
  const pairs: [string, HeaderValue][] = [];
  for (let at = 0; at < headers.length; at += 2) pairs.push([String(headers[at]), headers[at + 1] as HeaderValue]);
  return pairs;
}

/**
 * Sends the headers now for a body that is known as a whole. Node would give it a Content-Length by itself, but not
 * once writeHead has been called first; HTTP/1.0 clients, who get no chunks, depend on it.
 */
export function sendHeadFor(res: ServerResponse, bytes: number): void {
  const bodiless =
    res.statusCode < 200 || res.statusCode === 204 || res.statusCode === 304 || res.req.method === 'HEAD';
  const framed = res.hasHeader('Content-Length') || res.hasHeader('Transfer-Encoding') || res.hasHeader('Trailer');
  const added = !bodiless && !framed;
  if (added) res.setHeader('Content-Length', bytes);
  try {
    res.writeHead(res.statusCode);
  } catch (error) {
    // The answer that an error handler tries next has another length.
    if (added && !res.headersSent) res.removeHeader('Content-Length');
    throw error;
  }
}

/** The bytes of one argument of write() or end(), or `undefined` for what Node will refuse. */
export function byteLengthOf(chunk: unknown, encoding: unknown): number | undefined {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, bufferEncoding(encoding));
  return chunk instanceof Uint8Array ? chunk.byteLength : undefined;
}

/** A copy: streams recycle their buffers. */
export function copyOf(chunk: string | Uint8Array, encoding: unknown): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, bufferEncoding(encoding)) : Buffer.from(chunk);
}

function bufferEncoding(encoding: unknown): BufferEncoding {
  return typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8';
}
