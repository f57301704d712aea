// The messages that are done. They are acknowledged with the next pull, or by themselves if that does not come soon.

import type { Client, Outcome } from '../client.js';
import { byQueue, type Message } from '../message.js';
import type { Log } from './log.js';

export class Acknowledgments {
  readonly #client: Client;
  readonly #delay: number;
  readonly #repeat: (attempt: () => Promise<void>) => Promise<void>;
  readonly #log: Log;
  #pending: Message[] = [];
  /** When the first of them was added. */
  #since = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #sending = new Set<Promise<void>>();
  readonly #repeated = new WeakSet<Message>();

  /**
   * @param delay longest time for which a message waits for a pull, in milliseconds
   * @param repeat calls the function until it succeeds; never rejects
   */
  constructor(client: Client, delay: number, repeat: (attempt: () => Promise<void>) => Promise<void>, log: Log) {
    this.#client = client;
    this.#delay = delay;
    this.#repeat = repeat;
    this.#log = log;
  }

  add(message: Message): void {
    if (this.#pending.length === 0) this.#since = performance.now();
    this.#pending.push(message);
    this.#timer ??= setTimeout(() => this.#elapse(), this.#delay);
  }

  /** Hands over all that wait, to be acknowledged with a pull. */
  take(): Message[] {
    const taken = this.#pending;
    this.#pending = [];
    return taken;
  }

  /** The pull with these was not answered, so they may be acknowledged or not. */
  putBack(messages: readonly Message[]): void {
    for (const message of messages) {
      this.#repeated.add(message);
      this.add(message);
    }
  }

  /** The answer of the server. */
  settle(messages: readonly Message[], outcomes: readonly Outcome[]): void {
    messages.forEach((message, index) => {
      const outcome = outcomes[index];
      if (outcome === 'done' || (outcome === 'not_found' && this.#repeated.has(message))) return;
      const { queue, id, retryCount } = message;
      this.#log({ level: 'warn', text: `done, but the message was no longer held (${outcome})`, queue, id, retryCount });
    });
  }

  /** Sends all, and waits for the answers. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#send();
    await Promise.all(this.#sending);
  }

  /** The timer runs on after a pull took what it was set for: that is cheaper than one timer per pull. */
  #elapse(): void {
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    const rest = this.#since + this.#delay - performance.now();
    if (rest > 0) this.#timer = setTimeout(() => this.#elapse(), rest);
    else this.#send();
  }

  #send(): void {
    for (const batch of byQueue(this.take(), (message) => message)) {
      const sending = this.#repeat(() => this.#acknowledge(batch)).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
    }
  }

  async #acknowledge(messages: readonly Message[]): Promise<void> {
    try {
      this.settle(messages, await this.#client.ackMany(messages));
    } catch (error) {
      for (const message of messages) this.#repeated.add(message);
      throw error;
    }
  }
}
