// Extends the visibility of all that is in work or held, so that a handler may take longer than that.

import { pause } from '../backoff.js';
import type { Client } from '../client.js';
import { byQueue } from '../message.js';
import type { Log } from './log.js';
import type { Configuration } from './options.js';
import { persist } from './persist.js';
import type { Work } from './work.js';

export class Heartbeat {
  readonly #client: Client;
  readonly #works: ReadonlySet<Work>;
  readonly #drop: (work: Work) => void;
  readonly #visibility: number;
  readonly #interval: number;
  readonly #maxProcessing: number;
  readonly #log: Log;
  #resting = new AbortController();

  /** @param drop is called for a message that is no longer held by this worker, and was not started */
  constructor(
    client: Client,
    works: ReadonlySet<Work>,
    drop: (work: Work) => void,
    { visibility, disconnectGrace, maxProcessing, log }: Configuration,
  ) {
    this.#client = client;
    this.#works = works;
    this.#drop = drop;
    this.#visibility = visibility;
    // The connection of the pulls may be lost unnoticed: then only what is extended before the grace is over stays this worker's.
    this.#interval = (disconnectGrace || visibility) / 3;
    this.#maxProcessing = maxProcessing;
    this.#log = log;
  }

  /** Beats until the signal. Throws what does not pass by itself. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.hurry(), { once: true });
    for (;;) {
      await pause(this.#interval, this.#resting.signal);
      if (signal.aborted) return;
      this.#resting = new AbortController();
      await persist(() => this.#beat(), signal, this.#log);
    }
  }

  /** The next beat is at once. */
  hurry(): void {
    this.#resting.abort();
  }

  async #beat(): Promise<void> {
    const now = performance.now();
    const works: Work[] = [];
    for (const work of this.#works) {
      if (!work.isHeld) continue;
      if (work.since === undefined || now - work.since < this.#maxProcessing) works.push(work);
      else work.expire('the limit of the processing time is over');
    }
    for (const batch of byQueue(works, (work) => work.message)) await this.#extend(batch);
  }

  async #extend(works: Work[]): Promise<void> {
    const now = performance.now();
    const results = await this.#client.extendMany(works.map(({ message }) => message), this.#visibility);
    works.forEach((work, index) => {
      const result = results[index];
      if (result instanceof Date) work.visibleUntil = now + this.#visibility;
      else if (this.#works.has(work)) this.#lose(work, result);
    });
  }

  #lose(work: Work, why: string | undefined): void {
    if (work.since === undefined) {
      this.#drop(work);
      return;
    }
    const { queue, id, retryCount } = work.message;
    this.#log({ level: 'warn', text: `cancelled: the message is no longer held (${why})`, queue, id, retryCount });
    work.lose(`the message is no longer held (${why})`);
  }
}
