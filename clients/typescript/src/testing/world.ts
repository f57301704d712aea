// The queues of a fake, and its clock.

import type { Server } from './commands.js';
import { Queue } from './queue.js';

// In milliseconds.
const STEP = 1 / 64;

export class World implements Server {
  now = Date.now();
  readonly #queues = new Map<string, Queue>();
  #receipts = 0;
  #place = 0;

  /** @param blockedClients how many clients wait for a queue */
  constructor(readonly blockedClients: (queue: string) => number) {}

  queue(name: string): Queue {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new Queue(name, this);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  names(): string[] {
    return [...this.#queues.values()].filter(({ isStored }) => isStored).map(({ name }) => name);
  }

  drop(name: string): void {
    this.#queues.delete(name);
  }

  nextReceipt(): string {
    this.#receipts += 1;
    return this.#receipts.toString(16).padStart(16, '0');
  }

  nextPlace(): number {
    this.#place = Math.max(this.now, this.#place + STEP);
    return this.#place;
  }

  /** Does all that is due. */
  tick(): void {
    for (const queue of [...this.#queues.values()]) {
      if (this.blockedClients(queue.name) > 0) queue.use();
      if (queue.isUnused) this.drop(queue.name);
      else queue.tick();
    }
  }
}
