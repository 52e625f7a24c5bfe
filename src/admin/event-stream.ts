// One reader of server-sent events: written to until it leaves, or reads too slowly.
import type { ServerResponse } from 'node:http';

/** What a reader may be behind; more, and he is let go, for his browser to begin anew. */
const MOST_WAITING = 262_144;
/** After how long a browser comes back, ms. */
const RETRY_MS = 2000;

export class EventStream {
  constructor(
    private readonly res: ServerResponse,
    gone: () => void,
  ) {
    res.once('close', gone);
    res.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      // Compression would hold back what is to be seen now; so would the buffer of nginx.
      'Cache-Control': 'no-store, no-transform',
      'X-Accel-Buffering': 'no',
      'X-Content-Type-Options': 'nosniff',
    });
    this.send(`retry: ${RETRY_MS}\n\n`);
  }

  send(text: string): void {
    if (this.res.destroyed || this.res.writableEnded) return;
    if (this.res.writableLength > MOST_WAITING) {
      this.res.destroy();
      return;
    }
    this.res.write(text);
    // Of a compression that compresses all the same.
    (this.res as { flush?: () => void }).flush?.();
  }

  end(): void {
    this.res.end();
  }
}

export function eventText(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
