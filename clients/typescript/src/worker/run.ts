// One run of a worker: pulls messages, starts handlers, says what became of them, and ends in order.

import { setImmediate as turn } from 'node:timers/promises';
import { Backoff, pause } from '../backoff.js';
import { Client } from '../client.js';
import type { Connection } from '../connection.js';
import { CorruptError, InvalidArgumentError, InvalidReceiptError, isTemporary, NotFoundError } from '../errors.js';
import { byQueue, type Message } from '../message.js';
import type { NackOptions, PullOptions } from '../options.js';
import { Dead, Release, Retry } from '../outcomes.js';
import { atMost } from '../within.js';
import { Acknowledgments } from './acknowledgments.js';
import { Heartbeat } from './heartbeat.js';
import { Link } from './link.js';
import { errorText, type LogEntry } from './log.js';
import type { Configuration } from './options.js';
import { persist } from './persist.js';
import { Held, Slots, Work, WorkContext } from './work.js';

// A connection without a reply for so long is given up; a pull may also wait.
const REPLY_MS = 10_000;
// The wait of a pull that is to notice when the queues are empty.
const GLANCE_MS = 100;
// For handlers that were cancelled, and for the last words to a server that may be away.
const FAREWELL_MS = 1_000;
const LONGEST_REASON = 1_024;
// What the worker gives up, and not its handler, keeps its place in the queue.
const GIVEN_UP = { noCount: true, front: true };

export class Run {
  readonly #configuration: Configuration;
  /** Set for a run that ends when the queues are empty: messages that are delayed for longer do not count. */
  readonly #ignoredDelay: number | undefined;
  readonly #waiting: Link;
  readonly #shared: Link;
  readonly #puller: Client;
  readonly #client: Client;
  readonly #pullOptions: PullOptions;
  readonly #slots: Slots;
  readonly #held = new Held();
  /** All that is in work or held. */
  readonly #works = new Set<Work>();
  readonly #heartbeat: Heartbeat;
  readonly #acknowledgments: Acknowledgments;
  readonly #stopping = new AbortController();
  readonly #closing = new AbortController();
  #isCancelled = false;
  #failure: { error: unknown } | undefined;

  constructor(connection: Connection, configuration: Configuration, ignoredDelay?: number) {
    const { visibility, consumer, block, disconnectGrace, concurrency, ackDelay, log } = configuration;
    this.#configuration = configuration;
    this.#ignoredDelay = ignoredDelay;
    this.#waiting = new Link(connection, block + REPLY_MS, () => this.#heartbeat.hurry());
    this.#shared = new Link(connection, REPLY_MS);
    this.#puller = new Client(this.#waiting);
    this.#client = new Client(this.#shared);
    this.#pullOptions = {
      visibility,
      consumer,
      block: ignoredDelay === undefined ? block : Math.min(block, GLANCE_MS),
      onDisconnect: disconnectGrace > 0 && { grace: disconnectGrace },
    };
    this.#slots = new Slots(concurrency);
    this.#heartbeat = new Heartbeat(this.#client, this.#works, (work) => this.#drop(work), configuration);
    this.#acknowledgments = new Acknowledgments(this.#client, ackDelay, (attempt) => this.#say(attempt), log);
  }

  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#log({ level: 'info', text: 'stops' });
    this.#stopping.abort();
    this.#slots.wake();
  }

  /** Works until `stop`, or until the queues are empty. Throws what does not pass by itself, after an orderly end. */
  async work(): Promise<void> {
    const heartbeat = this.#heartbeat.run(this.#closing.signal).catch((error: unknown) => this.#fail(error));
    const pulling = this.#pullAll()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.stop());
    // Not before the waiting pull has ended, which might take them again.
    const released = pulling.then(() => this.#releaseHeld());
    await stopped(this.#stopping.signal);
    const isOver = new AbortController(); // the pull has ended, or the grace time
    void pulling.then(() => isOver.abort());
    await atMost(this.#configuration.grace, this.#ended(released, isOver.signal));
    isOver.abort();
    await this.#cancelHandlers();
    await atMost(FAREWELL_MS, this.#acknowledgments.flush());
    this.#closing.abort();
    this.#waiting.close(); // not before: its end would bring the messages back
    this.#shared.close();
    await atMost(FAREWELL_MS, Promise.all([pulling, heartbeat]));
    if (this.#failure) throw this.#failure.error;
  }

  async #pullAll(): Promise<void> {
    const { signal } = this.#stopping;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        const messages = await this.#pull();
        backoff.reset();
        if (messages.length === 0 && (await this.#isFinished())) return;
        this.#hold(messages);
        while (this.#wanted === 0 && !signal.aborted) await this.#slots.changed();
        if (!this.#slots.areAllFree) await turn(); // handlers that end together are acknowledged together
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof CorruptError) {
          this.#log({ level: 'error', text: 'a record was set aside', error });
          continue;
        }
        if (!isTemporary(error)) throw error;
        this.#log({ level: 'warn', text: 'pulls again', error });
        await pause(backoff.next(), signal);
      }
    }
  }

  /** How many more messages can start or be held. */
  get #wanted(): number {
    return this.#slots.free + this.#configuration.prefetch - this.#held.count;
  }

  async #pull(): Promise<Message[]> {
    const { queues } = this.#configuration;
    const options = this.#pullOptions;
    const [queue] = queues;
    const done = this.#acknowledgments.take();
    if (queue === undefined || queues.length > 1) {
      this.#acknowledgeBeside(done);
      return this.#puller.pullMany(queues, this.#wanted, options);
    }
    try {
      const { acked, messages } = await this.#puller.pullMany(queue, this.#wanted, { ...options, ack: done });
      this.#acknowledgments.settle(done, acked);
      return messages;
    } catch (error) {
      this.#acknowledgments.putBack(done);
      throw error;
    }
  }

  /** MQ.MPULL acknowledges nothing. So these go just before it, on the same way. */
  #acknowledgeBeside(done: readonly Message[]): void {
    for (const batch of byQueue(done, (message) => message)) {
      this.#puller.ackMany(batch).then(
        (outcomes) => this.#acknowledgments.settle(batch, outcomes),
        () => this.#acknowledgments.putBack(batch), // what is wrong is found when they are sent again
      );
    }
  }

  async #isFinished(): Promise<boolean> {
    if (this.#ignoredDelay === undefined || !this.#slots.areAllFree) return false;
    for (const queue of this.#configuration.queues) {
      const { ready, inflight, delayed } = await this.#client.info(queue);
      if (ready + inflight > 0) return false;
      const [first] = delayed > 0 ? await this.#client.peek(queue, { state: 'delayed', count: 1 }) : [];
      if (first?.dueAt && first.dueAt.getTime() - Date.now() < this.#ignoredDelay) return false;
    }
    return true;
  }

  /** Messages are held until they can start; most can at once. */
  #hold(messages: readonly Message[]): void {
    const visibleUntil = performance.now() + this.#configuration.visibility;
    for (const message of messages) {
      const work = new Work(message, visibleUntil);
      this.#works.add(work);
      this.#held.add(work);
    }
    this.#startHeld();
  }

  #startHeld(): void {
    while (this.#held.count > 0 && this.#slots.free > 0 && !this.#stopping.signal.aborted) {
      const work = this.#held.next()!;
      const now = performance.now();
      if (now < work.visibleUntil) void this.#process(work, now);
      else this.#works.delete(work); // it is another's, or soon will be
    }
  }

  #drop(work: Work): void {
    this.#held.remove(work);
    this.#works.delete(work);
    this.#slots.wake();
  }

  async #releaseHeld(): Promise<void> {
    const messages: Message[] = [];
    for (let work = this.#held.next(); work; work = this.#held.next()) {
      this.#works.delete(work);
      messages.push(work.message);
    }
    await this.#release(messages);
  }

  async #process(work: Work, now: number): Promise<void> {
    const { message } = work;
    work.since = now;
    this.#slots.take();
    const failure = await this.#failureOf(work);
    this.#works.delete(work);
    work.end();
    if (work.isHeld) {
      if (failure) await this.#giveBack(message, failure.error);
      else this.#acknowledgments.add(message);
    }
    this.#slots.release();
    this.#startHeld();
  }

  async #failureOf(work: Work): Promise<{ error: unknown } | undefined> {
    try {
      await this.#configuration.handler(work.message, new WorkContext(work));
      this.#log({ level: 'debug', text: 'done' }, work.message);
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  async #giveBack(message: Message, error: unknown): Promise<void> {
    const isOutcome = error instanceof Retry || error instanceof Release || error instanceof Dead;
    const reason = (isOutcome ? error.message : errorText(error)).slice(0, LONGEST_REASON) || undefined;
    if (error instanceof Release || (this.#isCancelled && !isOutcome)) {
      this.#log({ level: 'info', text: 'released', error }, message);
      await this.#nack(message, isOutcome ? { noCount: true } : GIVEN_UP);
    } else if (error instanceof Dead) {
      this.#log({ level: 'error', text: 'dead', error }, message);
      await this.#nack(message, { dead: true, reason });
    } else if (error instanceof Retry) {
      this.#log({ level: 'warn', text: 'to be retried', error }, message);
      await this.#nack(message, { delay: error.after, reason });
    } else {
      this.#log({ level: 'warn', text: 'failed', error }, message);
      await this.#nack(message, { reason });
    }
  }

  async #nack(message: Message, options: NackOptions): Promise<void> {
    await this.#say(async () => {
      try {
        await this.#client.nack(message, options);
      } catch (error) {
        if (error instanceof InvalidArgumentError && options.dead) {
          await this.#client.nack(message, { ...options, dead: false }); // a dead letter can't die again
        } else if (error instanceof NotFoundError || error instanceof InvalidReceiptError) {
          this.#log({ level: 'info', text: 'the message was no longer held', error }, message);
        } else {
          throw error;
        }
      }
    });
  }

  async #release(messages: readonly Message[]): Promise<void> {
    for (const batch of byQueue(messages, (message) => message)) {
      await this.#say(async () => void (await this.#client.nackMany(batch, GIVEN_UP)));
    }
  }

  /** Says something to the server until it answers, or the run ends. Never rejects. */
  async #say(attempt: () => Promise<void>): Promise<void> {
    try {
      await persist(attempt, this.#closing.signal, this.#configuration.log);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the waiting pull, and waits until what is held was released, and for the handlers. */
  async #ended(released: Promise<void>, isOver: AbortSignal): Promise<void> {
    const backoff = new Backoff();
    const id = await this.#waiting.id();
    while (id !== undefined && !isOver.aborted) {
      await this.#shared.send(['CLIENT', 'UNBLOCK', String(id)]).catch((error: unknown) => {
        this.#log({ level: 'warn', text: 'can not end the waiting pull', error });
      });
      await pause(backoff.next(), isOver); // the pull may have been on its way when it was to be ended
    }
    await released;
    await this.#slots.allFree();
  }

  /** Cancels handlers that still run, waits a moment for them, and releases what is left. */
  async #cancelHandlers(): Promise<void> {
    if (this.#works.size === 0) return;
    this.#isCancelled = true;
    for (const work of this.#works) work.cancel('the worker shuts down');
    await atMost(FAREWELL_MS, this.#slots.allFree());
    const left = [...this.#works].filter((work) => work.isHeld);
    for (const work of left) work.lose('the worker shuts down');
    await atMost(FAREWELL_MS, this.#release(left.map(({ message }) => message)));
  }

  #fail(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#log({ level: 'error', text: 'fails', error });
    this.#failure ??= { error };
    this.stop();
  }

  #log(entry: LogEntry, message?: Message): void {
    if (message) {
      entry.queue = message.queue;
      entry.id = message.id;
      entry.retryCount = message.retryCount;
    }
    this.#configuration.log(entry);
  }
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
