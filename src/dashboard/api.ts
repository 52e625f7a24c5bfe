// Asks the management API, beside which the page lies.

/** What the API does not want, in its words. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

type Method = 'GET' | 'POST' | 'DELETE';

export interface Me {
  readonly user: string;
  readonly actions: readonly string[];
}

/** Of the OpenAPI document: what there is, and which action it takes. */
type Paths = Readonly<Record<string, Readonly<Record<string, { 'x-action': string }>>>>;

export class Api {
  #paths: Paths = {};
  #me: Me = { user: '', actions: [] };

  /** Learns what there is, and what this person may. */
  async meet(): Promise<void> {
    const [me, { paths }] = await Promise.all([this.get<Me>('me'), this.get<{ paths: Paths }>('openapi.json')]);
    this.#me = me;
    this.#paths = paths;
  }

  get user(): string {
    return this.#me.user;
  }

  has(method: Method, path: string): boolean {
    return this.#paths[path]?.[method.toLowerCase()] !== undefined;
  }

  /** Whether there is such a route and this person may use it. */
  may(method: Method, path: string): boolean {
    const action = this.#paths[path]?.[method.toLowerCase()]?.['x-action'];
    return action !== undefined && this.#me.actions.includes(action);
  }

  get<T>(path: string): Promise<T> {
    return this.#send('GET', path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#send('POST', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.#send('DELETE', path);
  }

  async #send<T>(method: Method, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(new URL(path, document.baseURI), {
      method,
      ...(body !== undefined && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const told = (await answer.json().catch(() => ({}))) as { detail?: string; state?: string };
    // Health answers 503 with what is the matter.
    if (!answer.ok && told.state === undefined)
      throw new Problem(answer.status, told.detail ?? `Status ${answer.status}`);
    return told as T;
  }
}

/** What to tell people of a failure. */
export function sorry(error: unknown): string {
  if (!(error instanceof Problem)) return 'The server does not answer.';
  if (error.status === 401) return 'You are not logged in any more. Log in, then load this page again.';
  if (error.status === 403) return `Your account may not do that. ${error.message}`;
  if (error.status === 404 || error.status === 405) return 'This is not available here.';
  return error.message;
}

/** A path with its query; what is empty is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return given.length === 0
    ? path
    : `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
