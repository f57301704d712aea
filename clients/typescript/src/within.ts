// Deadlines.

/** Waits for an answer, but no longer than so many milliseconds; then it rejects. */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no reply within ${Math.round(ms)} ms`)), ms);
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
