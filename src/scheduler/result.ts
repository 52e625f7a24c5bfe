// What a task has returned, as far as it is kept.

/** For all to see, twenty times for each task. */
export const MOST_BYTES = 2048;

/** Plain data that JSON can say, of 2 kB at most; undefined: there is nothing to keep. */
export function kept(result: unknown): unknown {
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch {
    return { omitted: 'no JSON' };
  }
  if (text === undefined) return undefined;
  const bytes = Buffer.byteLength(text);
  return bytes > MOST_BYTES ? { omitted: bytes } : (JSON.parse(text) as unknown);
}
