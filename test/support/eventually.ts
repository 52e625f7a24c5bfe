// Waits for what happens in the background, of which nobody tells a test.

/** So long nothing takes, on a machine that is busy with others. */
export const HANGS_MS = 90_000;

/** Asks again and again, and says nothing of when. */
export async function eventually(what: string, test: () => Promise<boolean> | boolean): Promise<void> {
  const until = performance.now() + HANGS_MS;
  while (!(await test())) {
    if (performance.now() > until) throw new Error(`Never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
