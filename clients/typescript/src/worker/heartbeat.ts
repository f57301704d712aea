// Extends the visibility of all that is in work, so that a handler may take longer than that.

import { pause } from '../backoff.js';
import type { Client } from '../client.js';
import { byQueue } from '../message.js';
import type { Log } from './log.js';
import { persist } from './persist.js';
import type { Work } from './work.js';

export class Heartbeat {
  readonly #client: Client;
  readonly #inWork: ReadonlySet<Work>;
  readonly #visibility: number;
  readonly #maxProcessing: number;
  readonly #log: Log;

  constructor(client: Client, inWork: ReadonlySet<Work>, visibility: number, maxProcessing: number, log: Log) {
    this.#client = client;
    this.#inWork = inWork;
    this.#visibility = visibility;
    this.#maxProcessing = maxProcessing;
    this.#log = log;
  }

  /** Beats until the signal. Throws what does not pass by itself. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(this.#visibility / 3, signal);
      if (signal.aborted) return;
      await persist(() => this.#beat(), signal, this.#log);
    }
  }

  async #beat(): Promise<void> {
    const now = performance.now();
    const works: Work[] = [];
    for (const work of this.#inWork) {
      if (!work.isHeld) continue;
      if (now - work.since < this.#maxProcessing) works.push(work);
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
      else if (this.#inWork.has(work)) this.#lose(work, result);
    });
  }

  #lose(work: Work, why: string | undefined): void {
    const { queue, id, retryCount } = work.message;
    this.#log({ level: 'warn', text: `cancelled: the message is no longer held (${why})`, queue, id, retryCount });
    work.lose(`the message is no longer held (${why})`);
  }
}
