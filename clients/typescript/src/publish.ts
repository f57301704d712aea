// Repeats a push until it is answered. Safe only for a push with a deduplication key.

import { Backoff, pause } from './backoff.js';
import { isTemporary, UnansweredError } from './errors.js';
import { within } from './within.js';

/**
 * Calls `push` until it succeeds, fails for good, or `patience` milliseconds are over.
 *
 * Throws what `push` throws if repeating does not help, or an `UnansweredError`.
 */
export async function untilAnswered<T>(push: () => Promise<T>, patience: number): Promise<T> {
  const end = performance.now() + patience;
  const backoff = new Backoff();
  let cause: unknown;
  do {
    try {
      // A Redis client without a connection may keep a command for as long as it has none.
      return await within(end - performance.now(), push());
    } catch (error) {
      if (!isTemporary(error)) throw error;
      cause = error;
    }
    await pause(Math.min(backoff.next(), Math.max(end - performance.now(), 0)));
  } while (performance.now() < end);
  throw new UnansweredError(`no answer within ${patience} ms`, { cause });
}
