// Deadlines.

/** A timer that is set for longer goes off at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Waits for an answer, but no longer than so many milliseconds; then it rejects. */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no reply within ${Math.round(ms)} ms`)), Math.min(ms, LONGEST_TIMER_MS));
  });
  try {
    return await Promise.race([answer, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for something that never rejects, but no longer than so many milliseconds. */
export async function atMost(ms: number, event: Promise<unknown>): Promise<void> {
  await within(ms, event).catch(() => {});
}
