// Requests to a running platform, and what of the answers the tests look at.
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly cache: string | undefined;
  /** Cache-Status, RFC 9211. */
  readonly cacheStatus: string | undefined;
  readonly type: string | undefined;
  readonly etag: string | undefined;
  readonly body: unknown;
}

export interface Sending {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Not fetch(): that turns If-None-Match into a request past every cache. */
export async function askAt(
  base: string,
  token: string | undefined,
  path: string,
  { method, headers, body }: Sending = {},
): Promise<Answer> {
  const sent = request(base + path, {
    method: method ?? 'GET',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...headers,
    },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const text = (await response.toArray()).join('');
  const header = (name: string): string | undefined => response.headers[name] as string | undefined;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    cache: header('x-cache'),
    cacheStatus: header('cache-status'),
    type: header('content-type'),
    etag: header('etag'),
    body: text === '' ? undefined : header('content-type')?.includes('json') ? (JSON.parse(text) as unknown) : text,
  };
}
