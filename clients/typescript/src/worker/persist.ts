// Repeats what fails for a time, with pauses, for as long as the worker lives.

import { Backoff, pause } from '../backoff.js';
import { isTemporary } from '../errors.js';
import type { Log } from './log.js';

/** Calls `attempt` until it succeeds. Throws what does not pass by itself, and what was the matter when `signal` came. */
export async function persist<T>(attempt: () => Promise<T>, signal: AbortSignal, log: Log): Promise<T> {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTemporary(error) || signal.aborted) throw error;
      log({ level: 'warn', text: 'a command is repeated', error });
    }
    await pause(backoff.next(), signal);
  }
}
