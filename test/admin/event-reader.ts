// Reads server-sent events one after the other.
import http from 'node:http';

export interface EventReader {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** All that came, as it came. */
  readonly text: () => string;
  /** The next of this name. @throws when the stream ends before */
  next(name: string): Promise<unknown>;
  /** The stream has ended, whoever ended it. */
  readonly ended: Promise<void>;
  leave(): void;
}

export function readEvents(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
  return new Promise((resolve, reject) => {
    const asked = http.get(url, { agent: false, headers }, (res) => {
      let text = '';
      let from = 0;
      let isOver = false;
      let wake = (): void => undefined;
      const ended = new Promise<void>((done) => {
        res.once('close', () => {
          isOver = true;
          wake();
          done();
        });
      });
      res.on('error', () => undefined);
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        text += chunk;
        wake();
      });
      const next = async (name: string): Promise<unknown> => {
        for (;;) {
          const found = new RegExp(`^event: ${name}\ndata: (.*)\n\n`, 'm').exec(text.slice(from));
          if (found) {
            from += found.index + found[0].length;
            return JSON.parse(found[1] ?? '');
          }
          if (isOver) throw new Error(`The stream has ended before "${name}": ${text.slice(from)}`);
          await new Promise<void>((more) => (wake = more));
        }
      };
      const { statusCode: status = 0, headers: got } = res;
      resolve({ status, headers: got, text: () => text, next, ended, leave: () => asked.destroy() });
    });
    asked.on('error', reject);
  });
}
