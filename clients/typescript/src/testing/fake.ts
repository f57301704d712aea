// A Redis with redis-mq in memory: what clients and workers are tested with. Its time passes only when a test says so.

import type { Connection, OwnConnection, Reply, Word } from '../connection.js';
import { LONGEST_TIMER_MS } from '../within.js';
import { Arguments } from './arguments.js';
import { COMMANDS } from './commands.js';
import { pullOf, type Pull } from './pull.js';
import { World } from './world.js';

interface Waiting {
  readonly client: number;
  readonly pull: Pull;
  /** When its time is over, on the clock of the fake. */
  readonly until: number;
  readonly timer: NodeJS.Timeout | undefined;
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/**
 * Takes the place of a Redis client: `new Client(fake)`, `new Worker(fake, ...)`.
 *
 * It keeps the rules of the server: order, groups, priorities, delays, visibilities, retries, dead letters, deduplication, limits. It lacks
 * ONDISCONNECT, which does nothing, histograms, which are empty, errors that come from damage, and everything that is not a queue.
 *
 * A pull that waits ends when a message comes, when `advance` reaches its end, or when so much real time has passed.
 */
export class FakeRedis implements Connection {
  readonly #world = new World((queue) => [...this.#waiting].filter(({ pull }) => pull.queues.includes(queue)).length);
  readonly #waiting = new Set<Waiting>();
  #clients = 1;

  /** The time on its clock. */
  get now(): Date {
    return new Date(this.#world.now);
  }

  /** Sets its clock forward by so many milliseconds; what is due by then happens. */
  advance(ms: number): void {
    this.#world.now += ms;
    this.#world.tick();
    this.#serve();
  }

  async send(words: Word[]): Promise<Reply> {
    return this.#execute(words, 0);
  }

  async open(): Promise<OwnConnection> {
    const id = ++this.#clients;
    let isClosed = false;
    return {
      id,
      send: async (words) => {
        if (isClosed) throw new Error('the connection is closed');
        return this.#execute(words, id);
      },
      close: () => {
        isClosed = true;
        for (const waiting of this.#waitingOf(id)) waiting.reject(new Error('the connection is closed'));
      },
    };
  }

  #execute([first = '', ...others]: Word[], client: number): Reply | Promise<Reply> {
    const name = String(first).toUpperCase();
    const words = new Arguments(others);
    this.#world.tick();
    if (name === 'MQ.PULL' || name === 'MQ.MPULL') return this.#pull(pullOf(name, words, this.#world), client);
    if (name === 'CLIENT') return this.#unblock(words);
    const command = COMMANDS[name];
    if (!command) throw new Error(`ERR unknown command '${name}'`);
    const reply = command(words, this.#world);
    this.#serve();
    return reply;
  }

  #pull(pull: Pull, client: number): Reply | Promise<Reply> {
    this.#serve(); // those who wait come first, also for what the acknowledgments have made room for
    const messages = pull.take();
    const { block } = pull;
    if (messages.length > 0 || block === undefined) return pull.reply(messages);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        client,
        pull,
        until: block === 0 ? Infinity : this.#world.now + block,
        timer: block === 0 ? undefined : setTimeout(() => this.#end(waiting), Math.min(block, LONGEST_TIMER_MS)),
        resolve: (reply) => {
          this.#forget(waiting);
          resolve(reply);
        },
        reject: (error) => {
          this.#forget(waiting);
          reject(error);
        },
      };
      this.#waiting.add(waiting);
    });
  }

  /** Gives those who wait what they can get, first come, first served. */
  #serve(): void {
    for (const waiting of this.#waiting) {
      const messages = waiting.pull.take();
      if (messages.length > 0 || waiting.until <= this.#world.now) waiting.resolve(waiting.pull.reply(messages));
    }
  }

  #end(waiting: Waiting): void {
    waiting.resolve(waiting.pull.reply([]));
  }

  #forget(waiting: Waiting): void {
    clearTimeout(waiting.timer);
    this.#waiting.delete(waiting);
  }

  /** CLIENT UNBLOCK id. */
  #unblock(words: Arguments): Reply {
    const [subcommand, id] = [words.text().toUpperCase(), words.integer(0, Number.MAX_SAFE_INTEGER)];
    if (subcommand !== 'UNBLOCK') throw new Error(`ERR unknown subcommand '${subcommand}'`);
    const waiting = this.#waitingOf(id);
    for (const one of waiting) this.#end(one);
    return waiting.length;
  }

  #waitingOf(client: number): Waiting[] {
    return [...this.#waiting].filter((waiting) => waiting.client === client);
  }
}
