// The worker, as its users see it.

import { constants } from 'node:os';
import { connectionOf, type Redis } from '../redis.js';
import type { Connection } from '../connection.js';
import { configurationOf, type Configuration, type Handler, type WorkerOptions } from './options.js';
import { Run } from './run.js';

/**
 * Processes the messages of queues: at least once each, several at a time.
 *
 * It opens two connections of its own like the given one, and makes them again when they are lost, for ever.
 */
export class Worker {
  readonly #connection: Connection;
  readonly #configuration: Configuration;
  #run: Run | undefined;

  /**
   * @param redis a client of `redis` or `ioredis`, which serves as a pattern; it need not be connected
   * @param queues are served in this order; in a cluster all have the same hash tag
   */
  constructor(redis: Redis, queues: string | readonly string[], handler: Handler, options: WorkerOptions = {}) {
    this.#connection = connectionOf(redis);
    this.#configuration = configurationOf(queues, handler, options);
  }

  /**
   * Works until `stop`, SIGTERM or SIGINT. Then waits for the handlers, cancels those that take too long, and gives their messages back. A
   * second signal ends the process at once.
   *
   * Throws what does not pass by itself, as a wrong password or a server without the module.
   */
  async run(): Promise<void> {
    await this.#work(new Run(this.#connection, this.#configuration));
  }

  /**
   * The same, but ends when no queue has a message that is ready, in flight or delayed for less than `delay` milliseconds (default: 60,000).
   */
  async runUntilEmpty(delay = 60_000): Promise<void> {
    await this.#work(new Run(this.#connection, this.#configuration, delay));
  }

  /** Begins the shutdown; `run` returns when it is complete. */
  stop(): void {
    this.#run?.stop();
  }

  async #work(run: Run): Promise<void> {
    if (this.#run) throw new Error('this worker is already running');
    this.#run = run;
    const unwatch = onSignals(this.#configuration.signals, () => run.stop());
    try {
      await run.work();
    } finally {
      unwatch();
      this.#run = undefined;
    }
  }
}

/** Calls `stop` at the first of these signals, and ends the process at the second. */
function onSignals(signals: readonly NodeJS.Signals[], stop: () => void): () => void {
  let isStopping = false;
  const listener = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(128 + constants.signals[signal]);
    isStopping = true;
    stop();
  };
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
