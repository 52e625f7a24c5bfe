// A service that speaks chat completions over real HTTP: what it answers, and when, the test says.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AiRequest {
  readonly url: string | undefined;
  readonly authorization: string | undefined;
  readonly body: { readonly model: string; readonly messages: readonly { role: string; content: string }[] };
}

export type Reply = (res: ServerResponse, asked: number) => unknown;

export interface AiServer {
  readonly url: string;
  readonly requests: readonly AiRequest[];
  /** What it does with requests from now on. */
  reply: Reply;
  /** Resolves when it has been asked so many times. */
  asked(times: number): Promise<void>;
  close(): Promise<void>;
}

export const INSIGHT = { summary: 'Reads well.', strengths: ['Punctual.'], concerns: [], suggestions: ['Go on.'] };
export const USAGE = { prompt_tokens: 900, completion_tokens: 600 };

export function completion(content: unknown, usage: unknown = USAGE): string {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  const choices = [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }];
  return JSON.stringify({ id: 'one', object: 'chat.completion', choices, usage });
}

export function answer(body: string, status = 200, headers: Record<string, string> = {}): Reply {
  return (res) => res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
}

export async function startAiServer(): Promise<AiServer> {
  const requests: AiRequest[] = [];
  const waiting = new Set<() => void>();
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const text = (await req.toArray()).join('');
    const { url } = req;
    requests.push({ url, authorization: req.headers.authorization, body: JSON.parse(text) as AiRequest['body'] });
    for (const look of waiting) look();
    ai.reply(res, requests.length);
  };
  const server = createServer((req, res) => void handle(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ai: AiServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    reply: answer(completion(INSIGHT)),
    asked: (times) =>
      new Promise((resolve) => {
        const look = () => {
          if (requests.length < times) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return ai;
}
