// The deadline of all commands of a connection. They share a timer: one for each command would be costly.

import { LONGEST_TIMER_MS } from '../within.js';

interface Pending {
  readonly end: number;
  readonly reject: (error: Error) => void;
}

export class Deadlines {
  readonly #ms: number;
  /** Those that end first come first. */
  readonly #pending = new Set<Pending>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = Math.min(ms, LONGEST_TIMER_MS);
  }

  /** Waits for an answer, but no longer than the deadline; then it rejects. */
  within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending = { end: performance.now() + this.#ms, reject };
      this.#pending.add(pending);
      this.#timer ??= this.#start(this.#ms);
      answer.then(
        (value) => {
          this.#pending.delete(pending);
          resolve(value);
        },
        (error: unknown) => {
          this.#pending.delete(pending);
          reject(error);
        },
      );
    });
  }

  /** The connection keeps the process running, not its timer, which is left alone when there is an answer. */
  #start(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#elapse(), ms).unref();
  }

  #elapse(): void {
    this.#timer = undefined;
    for (const pending of this.#pending) {
      const rest = pending.end - performance.now();
      if (rest > 0) {
        this.#timer = this.#start(rest);
        return;
      }
      this.#pending.delete(pending);
      pending.reject(new Error(`no reply within ${Math.round(this.#ms)} ms`));
    }
  }
}
