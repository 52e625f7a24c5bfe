// Asks the management API over HTTP.
import { request as overHttp, type IncomingMessage } from 'node:http';
import { request as overHttps } from 'node:https';
import { errorText } from '../contract/errors.js';
import { CliFailure, failed, unreachable, usageError } from './failures.js';
import { printable } from './text.js';
import type { Answer, ApiWay, Ask } from './way.js';

const PATIENCE_MS = 30_000;
const LARGEST_ANSWER = 64 * 1024 ** 2;

/** @param headers as given, `name: value` */
export function apiWay(address: string, headers: readonly string[], authorization: string | undefined): ApiWay {
  const url = parseUrl(address);
  const sent = headersOf(headers, authorization);
  const ask: Ask = async (method, path, { query = {}, body, patient, signal } = {}) => {
    const at = new URL(url);
    at.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    for (const [name, value] of Object.entries(query)) if (value !== undefined) at.searchParams.set(name, value);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answered = await send({ at, method, headers: sent, text, patient: patient === true, signal });
    return readAnswer(answered, url);
  };
  return { kind: 'url', name: url.origin + url.pathname, url, ask, close: async () => undefined };
}

function parseUrl(address: string): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw usageError('--url takes the address of the management API, such as https://example.org/api/reports/cache.');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw usageError('--url takes an http or https address.');
  if (url.username !== '' || url.password !== '')
    throw usageError('--url takes no password: use --header or REPORT_CACHE_AUTHORIZATION.');
  return url;
}

function headersOf(given: readonly string[], authorization: string | undefined): Record<string, string> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (authorization) headers['authorization'] = authorization;
  for (const one of given) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)$/.exec(one) ?? [];
    if (name === undefined || value === undefined)
      throw usageError("--header takes a name and a value, such as 'Authorization: Bearer …'.");
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

interface Sending {
  readonly at: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | undefined;
  readonly patient: boolean;
  readonly signal: AbortSignal | undefined;
}

interface Answered {
  readonly response: IncomingMessage;
  readonly text: string;
}

/** Not fetch(), which waits five minutes at most, as long as warming may take. */
function send({ at, method, headers, text, patient, signal }: Sending): Promise<Answered> {
  const request = at.protocol === 'https:' ? overHttps : overHttp;
  return new Promise((resolve, reject) => {
    const asked = request(
      at,
      {
        method,
        headers: {
          ...headers,
          connection: 'close',
          ...(text !== undefined && {
            'content-type': 'application/json',
            'content-length': String(Buffer.byteLength(text)),
          }),
        },
        ...(!patient && { timeout: PATIENCE_MS }),
        ...(signal && { signal }),
      },
      (response) => {
        textOf(response).then((answer) => resolve({ response, text: answer }), reject);
      },
    );
    const lost = (error: unknown) => {
      if (error instanceof CliFailure || signal?.aborted) reject(error);
      else reject(unreachable(`${at.origin} does not answer: ${errorText(error)}`));
    };
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
    asked.on('error', lost);
    asked.end(text);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LARGEST_ANSWER) throw failed('The answer is larger than any of the management API.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function readAnswer({ response, text }: Answered, url: URL): Answer {
  const { statusCode: status = 0 } = response;
  // Followed, it would show the credentials to whoever it leads to.
  if (status >= 300 && status < 400) throw failed(`${url.origin} redirects (${status}): name the address it leads to.`);
  const body = jsonIn(text);
  const isHealth = status === 503 && body?.['state'] !== undefined;
  if (status < 300 || isHealth) {
    if (body !== undefined) return { status, body };
    throw failed(`There is no management API at ${url.origin}${url.pathname}: its answer is no JSON.`);
  }
  const detail = typeof body?.['detail'] === 'string' ? printable(body['detail']) : 'no reason is given';
  throw failed(`${url.origin} refuses (${status}): ${detail}`);
}

function jsonIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
