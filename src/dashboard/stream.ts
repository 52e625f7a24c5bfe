// Hears what happens while it happens, and comes back when the connection was lost.

import type { Hears } from './shapes.js';

export type ConnectionState = 'live' | 'lost';

export interface Hearing {
  readonly on: Hears;
  readonly state: (state: ConnectionState) => void;
}

/** The browser itself comes back after a cut, but not after a refusal: of that there may be an end, too. */
const AFTER_REFUSAL_MS = 10_000;

export function listen(path: string, { on, state }: Hearing): void {
  const source = new EventSource(new URL(path, document.baseURI));
  source.addEventListener('open', () => state('live'));
  source.addEventListener('error', () => {
    state('lost');
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => listen(path, { on, state }), AFTER_REFUSAL_MS);
  });
  for (const [name, heard] of Object.entries(on))
    // What is heard under a name is what its listener takes: both are named by the same type.
    source.addEventListener(name, ({ data }: MessageEvent<string>) => heard(JSON.parse(data) as never));
}
