// INFO of a Redis server as fields.
import { errorText } from '../contract/errors.js';
import type { RedisWay } from './way.js';

export type Info = Readonly<Record<string, string>>;

/** Undefined: the user may not ask. @throws where Redis does not answer */
export async function readInfo({ client, inTime }: Pick<RedisWay, 'client' | 'inTime'>): Promise<Info | undefined> {
  try {
    return parseInfo(String(await inTime(client.call('INFO'))));
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

export function parseInfo(text: string): Info {
  return Object.fromEntries(
    [...text.matchAll(/^([^#:\r\n][^:\r\n]*):([^\r\n]*)/gm)].map(([, name, value]) => [name, value]),
  );
}

/** An answer all the same: the user may not, or the server (or its provider) has no such command. */
export function isRefusal(error: unknown): boolean {
  return /^(NOPERM|ERR unknown (sub)?command|ERR Unknown subcommand|ERR unknown|ERR command .* not allowed)/i.test(
    errorText(error),
  );
}
