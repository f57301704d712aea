// Pauses between attempts.

import { setTimeout as sleep } from 'node:timers/promises';
import { LONGEST_TIMER_MS } from './within.js';

const FIRST_MS = 50;
const LONGEST_MS = 2_000;

/** Pauses that double, each shortened by chance so that many clients do not come back at once. */
export class Backoff {
  #next = FIRST_MS;

  /** The next pause in milliseconds. */
  next(): number {
    const pause = this.#next * (0.5 + Math.random() / 2);
    this.#next = Math.min(2 * this.#next, LONGEST_MS);
    return pause;
  }

  reset(): void {
    this.#next = FIRST_MS;
  }
}

/** Waits, but not longer than until the signal. Never rejects. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(Math.min(ms, LONGEST_TIMER_MS), undefined, signal && { signal }).catch(() => {});
}
