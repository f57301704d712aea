// The client: one method per command, no policy. How commands reach the server is the Redis client's matter.

import { randomUUID } from 'node:crypto';
import type { Connection, Reply, Word } from './connection.js';
import { typed } from './errors.js';
import { Message, type Delivery, type State } from './message.js';
import {
  batchWords, headerPairs, nackWords, option, pairOf, peekWords, pullWords, pushWords, redriveWords, wordOf,
  type ByDedup, type Bytes, type NackOptions, type PeekOptions, type PublishOptions, type PullOptions, type PushManyOptions, type PushOptions,
  type RedriveOptions,
} from './options.js';
import { untilAnswered } from './publish.js';
import { connectionOf, type Redis } from './redis.js';
import { arrayOf, textOf } from './reply.js';
import { Schedule, scheduleWords, type NextTicksOptions, type ScheduleOptions, type SchedulesOptions } from './schedules.js';
import { infoOf, settingsOf, settingWords, statsOf, type Info, type Settings, type Stats } from './settings.js';

const PATIENCE_MS = 30_000;

/** Why one delivery of a batch was refused: as `NotFoundError` and `InvalidReceiptError`. */
export type Refusal = 'not_found' | 'invalid_receipt';

/** What became of one delivery of a batch. */
export type Outcome = 'done' | Refusal;

/** A function around a push, which `send` carries out with these headers more. Headers that the push has itself win. */
export type PushMiddleware = <T>(queue: string, send: (headers: Record<string, string>) => Promise<T>) => Promise<T>;

/** Options of `new Client()`. */
export interface ClientOptions {
  /** Is called around `push`, `pushMany` and each attempt of `publish`, as for tracing. Default: none. */
  aroundPush?: PushMiddleware | undefined;
}

/**
 * The commands of redis-mq. Lengths of time are milliseconds, moments are `Date`, payloads are bytes or text.
 *
 * Every method may throw an `InvalidArgumentError`, a `WrongTypeError`, a `CorruptError` or, in a cluster, a `TryAgainError`. Other errors
 * are those of the Redis client.
 */
export class Client {
  readonly #connection: Pick<Connection, 'send'>;
  readonly #aroundPush: PushMiddleware;

  /** @param redis a connected client of `redis` or `ioredis`; it remains the caller's to close */
  constructor(redis: Redis, options: ClientOptions = {}) {
    this.#connection = connectionOf(redis);
    this.#aroundPush = options.aroundPush ?? ((_, send) => send({}));
  }

  /**
   * Adds a message and returns its id.
   *
   * Throws a `QueueFullError` if the queue has a limit and has reached it. If the connection is lost, the message may have been pushed or
   * not: see `publish`.
   */
  async push(queue: string, payload: Bytes, options: PushOptions = {}): Promise<string> {
    return this.#aroundPush(queue, async (headers) => {
      const words = pushWords(withHeaders(options, headers));
      return textOf(await this.#send(queue, 'MQ.PUSH', queue, wordOf(payload), ...words));
    });
  }

  /** Adds messages with the same options, all or none, and returns their ids. At most 10,000. Throws a `QueueFullError` as `push`. */
  async pushMany(queue: string, payloads: readonly Bytes[], options: PushManyOptions = {}): Promise<string[]> {
    return this.#aroundPush(queue, async (headers) => {
      const words = pushWords(withHeaders(options, headers));
      return arrayOf(await this.#send(queue, 'MQ.MPUSH', queue, String(payloads.length), ...payloads.map(wordOf), ...words)).map(textOf);
    });
  }

  /**
   * `push` without loss and duplicates: has a deduplication key (a random one by default), and is repeated until the server answers.
   *
   * Throws an `UnansweredError` after `patience` milliseconds, and refusals that repeating does not help against, as a `QueueFullError`, at once.
   */
  publish(queue: string, payload: Bytes, options: PublishOptions = {}): Promise<string> {
    const { patience = PATIENCE_MS, dedup = randomUUID(), ...others } = options;
    return untilAnswered(() => this.push(queue, payload, { ...others, dedup }), patience);
  }

  /**
   * Takes a message, or returns null if there is none. Of several queues, the first that can deliver is served.
   *
   * With `ack`, these deliveries of the queue are acknowledged first, even if the pull then fails; `acked` says what became of each.
   */
  pull(queue: string, options: PullOptions & { ack: readonly Delivery[] }): Promise<{ acked: Outcome[]; message: Message | null }>;
  pull(queues: string | readonly string[], options?: PullOptions): Promise<Message | null>;
  async pull(queues: string | readonly string[], options: PullOptions & { ack?: readonly Delivery[] } = {}): Promise<unknown> {
    const { acked, reply } = await this.#pull(queues, pullWords(options), options.ack);
    const message = reply === null ? null : new Message(reply);
    return acked ? { acked, message } : message;
  }

  /** Takes up to `count` messages, at most 10,000, all from one queue; otherwise as `pull`. A batch ends after 16 MiB. */
  pullMany(
    queue: string,
    count: number,
    options: PullOptions & { ack: readonly Delivery[] },
  ): Promise<{ acked: Outcome[]; messages: Message[] }>;
  pullMany(queues: string | readonly string[], count: number, options?: PullOptions): Promise<Message[]>;
  async pullMany(
    queues: string | readonly string[],
    count: number,
    options: PullOptions & { ack?: readonly Delivery[] } = {},
  ): Promise<unknown> {
    const { acked, reply } = await this.#pull(queues, [...option('COUNT', count), ...pullWords(options)], options.ack);
    const messages = messagesOf(reply);
    return acked ? { acked, messages } : messages;
  }

  /** Acknowledges a message: it is removed. Throws a `NotFoundError` or an `InvalidReceiptError` if this consumer no longer holds it. */
  async ack(delivery: Delivery): Promise<void> {
    await this.#send(delivery.queue, 'MQ.ACK', delivery.queue, ...pairOf(delivery));
  }

  /** Acknowledges messages of one queue, at most 10,000, and says what became of each. */
  async ackMany(deliveries: readonly Delivery[]): Promise<Outcome[]> {
    return (await this.#batch('MQ.ACK', deliveries, [])).map(outcomeOf);
  }

  /** Gives a message back, or up. Throws a `NotFoundError` or an `InvalidReceiptError` if this consumer no longer holds it. */
  async nack(delivery: Delivery, options: NackOptions = {}): Promise<void> {
    await this.#send(delivery.queue, 'MQ.NACK', delivery.queue, ...pairOf(delivery), ...nackWords(options));
  }

  /** Gives back messages of one queue, at most 10,000, and says what became of each. */
  async nackMany(deliveries: readonly Delivery[], options: NackOptions = {}): Promise<Outcome[]> {
    return (await this.#batch('MQ.NACK', deliveries, nackWords(options))).map(outcomeOf);
  }

  /**
   * Restarts the visibility of a message, and returns when it ends. Default: the queue's visibility, without shortening the delivery.
   *
   * Throws a `NotFoundError` or an `InvalidReceiptError` if this consumer no longer holds it.
   */
  async extend(delivery: Delivery, visibility?: number): Promise<Date> {
    const words = [...pairOf(delivery), ...option('VISIBILITY', visibility)];
    return new Date(Number(await this.#send(delivery.queue, 'MQ.EXTEND', delivery.queue, ...words)));
  }

  /** Extends messages of one queue, at most 10,000: for each, when its visibility ends, or why it was refused. */
  async extendMany(deliveries: readonly Delivery[], visibility?: number): Promise<(Date | Refusal)[]> {
    return (await this.#batch('MQ.EXTEND', deliveries, option('VISIBILITY', visibility))).map(
      (number) => refusalOf(number) ?? new Date(number),
    );
  }

  /** Extends all messages in flight in a queue that were pulled under this name, and returns how many. Default: the queue's visibility. */
  async extendConsumer(queue: string, consumer: string, visibility?: number): Promise<number> {
    const words = ['CONSUMER', consumer, ...option('VISIBILITY', visibility)];
    return Number(await this.#send(queue, 'MQ.EXTEND', queue, ...words));
  }

  /** Shows messages without delivering them. */
  async peek(queue: string, options: PeekOptions = {}): Promise<Message[]> {
    return messagesOf(await this.#send(queue, 'MQ.PEEK', queue, ...peekWords(options)));
  }

  /** Shows one message, or null if the queue does not have it. */
  async get(queue: string, which: string | ByDedup): Promise<Message | null> {
    const words = typeof which === 'string' ? [which] : ['DEDUP', which.dedup];
    const reply = await this.#send(queue, 'MQ.GET', queue, ...words);
    return reply === null ? null : new Message(reply);
  }

  /** Deletes messages in any state, at most 10,000 ids, and returns how many there were. A key with a window stays held. */
  async delete(queue: string, which: string | readonly string[] | ByDedup): Promise<number> {
    const words = typeof which === 'object' && 'dedup' in which ? ['DEDUP', which.dedup] : [which].flat();
    return Number(await this.#send(queue, 'MQ.DEL', queue, ...words));
  }

  /** Changes when a delayed message becomes ready: in so many milliseconds, or at a moment. Returns whether there was one. */
  async reschedule(queue: string, id: string, when: number | Date): Promise<boolean> {
    const words = option(when instanceof Date ? 'AT' : 'DELAY', when);
    return Number(await this.#send(queue, 'MQ.RESCHEDULE', queue, id, ...words)) === 1;
  }

  /** How many messages the queue has, in all states or in one. `dead`: how many its dead-letter queue has. */
  async len(queue: string, state?: State | 'dead'): Promise<number> {
    return Number(await this.#send(queue, 'MQ.LEN', queue, ...peekWords({ state })));
  }

  /** Settings, state and counters of a queue. */
  async info(queue: string): Promise<Info> {
    return infoOf(await this.#send(queue, 'MQ.INFO', queue));
  }

  /** The names of the queues that have a message or a setting, by a pattern as that of `KEYS`. In a cluster: those of one node. */
  async queues(match?: string): Promise<string[]> {
    return arrayOf(await this.#send(undefined, 'MQ.QUEUES', ...option('MATCH', match))).map(textOf);
  }

  /**
   * What `info` returns, of all queues or of those that match a pattern as that of `KEYS`, in the byte order of their names. In a cluster: of
   * those of one node.
   */
  async stats(match?: string): Promise<Stats[]> {
    return arrayOf(await this.#send(undefined, 'MQ.STATS', ...option('MATCH', match))).map(statsOf);
  }

  /** The settings of a queue. */
  async config(queue: string): Promise<Settings> {
    return settingsOf(await this.#send(queue, 'MQ.CONFIG', queue));
  }

  /** Changes settings of a queue, all or none of those given. null: the default. */
  async configure(queue: string, settings: { [Name in keyof Settings]?: Settings[Name] | null | undefined }): Promise<void> {
    const words = settingWords(settings);
    if (words.length > 0) await this.#send(queue, 'MQ.CONFIG', queue, ...words);
  }

  /**
   * Sets a schedule, which pushes a message at each of its ticks, and returns whether it is new. Programs may do that at every start: a
   * schedule that was set before keeps its ticks, as long as what determines them is the same.
   *
   * `await client.schedule('reports', 'daily', '', { cron: '30 6 * * MON-FRI', zone: 'Europe/Berlin' })`
   */
  async schedule(queue: string, name: string, payload: Bytes, options: ScheduleOptions): Promise<boolean> {
    return Number(await this.#send(queue, 'MQ.SCHEDULE', queue, name, wordOf(payload), ...scheduleWords(options))) === 1;
  }

  /** Removes a schedule, and returns whether there was one. */
  async unschedule(queue: string, name: string): Promise<boolean> {
    return Number(await this.#send(queue, 'MQ.UNSCHEDULE', queue, name)) === 1;
  }

  /** The schedules of a queue, the next tick first. */
  async schedules(queue: string, { match, offset, count }: SchedulesOptions = {}): Promise<Schedule[]> {
    const words = [...option('MATCH', match), ...option('OFFSET', offset), ...option('COUNT', count)];
    return arrayOf(await this.#send(queue, 'MQ.SCHEDULES', queue, ...words)).map((one) => new Schedule(one));
  }

  /** The next ticks of a schedule, without jitter. Throws a `NotFoundError` if there is no such schedule. */
  async nextTicks(queue: string, name: string, { count, from }: NextTicksOptions = {}): Promise<Date[]> {
    const words = [...option('COUNT', count), ...option('FROM', from)];
    return arrayOf(await this.#send(queue, 'MQ.NEXT', queue, name, ...words)).map((tick) => new Date(Number(tick)));
  }

  /**
   * Pushes a message of a schedule now, and returns its id. With `overlap: 'skip'`, that of an earlier one that is still in the queue.
   *
   * Throws a `NotFoundError` if there is no such schedule, or a `QueueFullError` as `push`.
   */
  async trigger(queue: string, name: string): Promise<string> {
    return textOf(await this.#send(queue, 'MQ.TRIGGER', queue, name));
  }

  /** Stops the deliveries of a queue, until `resume` or for so many milliseconds. */
  async pause(queue: string, duration?: number): Promise<void> {
    await this.#send(queue, 'MQ.PAUSE', queue, ...option('FOR', duration));
  }

  /** Ends a pause. */
  async resume(queue: string): Promise<void> {
    await this.#send(queue, 'MQ.RESUME', queue);
  }

  /** Deletes all messages, or those of one state, keeps the settings, and returns how many messages there were. */
  async purge(queue: string, state?: 'ready' | 'delayed'): Promise<number> {
    return Number(await this.#send(queue, 'MQ.PURGE', queue, ...peekWords({ state })));
  }

  /** Deletes the queue with its messages and settings, and returns whether there was one. */
  async drop(queue: string): Promise<boolean> {
    return Number(await this.#send(queue, 'MQ.DROP', queue)) === 1;
  }

  /** Moves dead letters back to the queues in which they died, or to another, and returns how many. `queue` is the dead-letter queue. */
  async redrive(queue: string, options: RedriveOptions = {}): Promise<number> {
    return Number(await this.#send(queue, 'MQ.REDRIVE', queue, ...redriveWords(options)));
  }

  async #pull(
    queues: string | readonly string[],
    words: Word[],
    ack: readonly Delivery[] | undefined,
  ): Promise<{ acked: Outcome[] | undefined; reply: Reply }> {
    const names = typeof queues === 'string' ? [queues] : queues;
    const acks = ack && ack.length > 0 ? batchWords('ACK', ack) : [];
    if (ack) requireQueue(names[0], ack);
    const start = names.length === 1 ? ['MQ.PULL', names[0]!] : ['MQ.MPULL', String(names.length), ...names];
    const reply = await this.#exchange(names[0], [...start, ...words, ...acks]);
    if (acks.length === 0) return { acked: ack && [], reply };
    const [acked = null, delivered = null] = arrayOf(reply);
    return { acked: arrayOf(acked).map(Number).map(outcomeOf), reply: delivered };
  }

  async #batch(command: string, deliveries: readonly Delivery[], words: Word[]): Promise<number[]> {
    const queue = deliveries[0]?.queue;
    if (queue === undefined) return [];
    requireQueue(queue, deliveries);
    return arrayOf(await this.#send(queue, command, queue, ...batchWords('IDS', deliveries), ...words)).map(Number);
  }

  #send(key: string | undefined, ...words: Word[]): Promise<Reply> {
    return this.#exchange(key, words);
  }

  async #exchange(key: string | undefined, words: Word[]): Promise<Reply> {
    try {
      return await this.#connection.send(words, key);
    } catch (error) {
      throw typed(error);
    }
  }
}

function withHeaders<Options extends PushManyOptions>(options: Options, headers: Record<string, string>): Options {
  const common = Object.entries(headers);
  if (common.length === 0) return options;
  const own = headerPairs(options.headers);
  const names = new Set(own.map(([name]) => wordOf(name).toString()));
  return { ...options, headers: [...common.filter(([name]) => !names.has(name)), ...own] };
}

function requireQueue(queue: string | undefined, deliveries: readonly Delivery[]): void {
  const other = deliveries.find((delivery) => delivery.queue !== queue);
  if (other) throw new TypeError(`message ${other.id} is of the queue ${other.queue}, not of ${queue}`);
}

function messagesOf(reply: Reply): Message[] {
  return arrayOf(reply).map((one) => new Message(one));
}

function refusalOf(number: number): Refusal | undefined {
  if (number === 0) return 'not_found';
  return number === -1 ? 'invalid_receipt' : undefined;
}

function outcomeOf(number: number): Outcome {
  return refusalOf(number) ?? 'done';
}
