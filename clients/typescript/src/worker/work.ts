// The messages in work, or held until they can be, and how many more can be.

import type { Message } from '../message.js';
import { LONGEST_TIMER_MS } from '../within.js';
import type { Context } from './options.js';

/** A message in work, or held. Moments are those of `performance.now()`. */
export class Work {
  /** When its handler was started; undefined: it is held. */
  since: number | undefined;
  #cancelling: AbortController | undefined;
  #isHeld = true;
  #expiry: NodeJS.Timeout | undefined;

  constructor(
    readonly message: Message,
    public visibleUntil: number,
  ) {}

  /** Tells the handler to stop. Made when it is first asked for: most handlers never do, and it is costly. */
  get signal(): AbortSignal {
    return (this.#cancelling ??= new AbortController()).signal;
  }

  /** Whether it is still this worker's; if not, nothing more is said for it. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  cancel(reason: string): void {
    (this.#cancelling ??= new AbortController()).abort(new Error(reason));
  }

  /** It is no longer this worker's. */
  lose(reason: string): void {
    this.#isHeld = false;
    this.end();
    this.cancel(reason);
  }

  /** It is no longer extended: it is lost when its visibility ends. */
  expire(reason: string): void {
    const rest = this.visibleUntil - performance.now();
    if (rest <= LONGEST_TIMER_MS) this.#expiry ??= setTimeout(() => this.lose(reason), rest);
  }

  /** Its handler has ended. */
  end(): void {
    clearTimeout(this.#expiry);
  }
}

/** What the handler of a message may see of it. */
export class WorkContext implements Context {
  readonly #work: Work;

  constructor(work: Work) {
    this.#work = work;
  }

  get signal(): AbortSignal {
    return this.#work.signal;
  }
}

/** Messages that wait until they can start, in the order in which they came. */
export class Held {
  #works: Work[] = [];

  get count(): number {
    return this.#works.length;
  }

  add(work: Work): void {
    this.#works.push(work);
  }

  next(): Work | undefined {
    return this.#works.shift();
  }

  remove(work: Work): void {
    this.#works = this.#works.filter((other) => other !== work);
  }
}

/** So many messages can be in work at once. */
export class Slots {
  readonly #count: number;
  #taken = 0;
  #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  get free(): number {
    return this.#count - this.#taken;
  }

  get areAllFree(): boolean {
    return this.#taken === 0;
  }

  take(): void {
    this.#taken += 1;
  }

  release(): void {
    this.#taken -= 1;
    this.wake();
  }

  /** Waits for the next `release` or `wake`. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async allFree(): Promise<void> {
    while (!this.areAllFree) await this.changed();
  }
}
