// What a worker is given: its handler, middleware and options.

import { hostname } from 'node:os';
import type { Message } from '../message.js';
import { logLines, type Log } from './log.js';

/** What a handler is given beside the message. */
export interface Context {
  /**
   * Is aborted when the message is no longer this worker's, or when a shutdown has waited long enough. Pass it on to what the handler
   * waits for.
   */
  readonly signal: AbortSignal;
}

/**
 * Processes a message. When it returns, or its promise resolves, the message is done. When it throws, the message is given back and comes
 * again after the queue's backoff, with the error's text as `lastError`; `Retry`, `Release` and `Dead` say something else.
 */
export type Handler = (message: Message, context: Context) => unknown;

/** A function around the handler, which `next` calls. What it throws counts as thrown by the handler. */
export type Middleware = (message: Message, context: Context, next: () => Promise<unknown>) => unknown;

/** Options of `new Worker()`. Lengths of time are milliseconds. */
export interface WorkerOptions {
  /** How many messages are in work at once. At most 10,000. Default: 10. */
  concurrency?: number | undefined;
  /**
   * How many messages are held in advance, beside those in work: for handlers of a few milliseconds or less, where the round trip counts.
   * Others can't have them meanwhile, so leave it at 0 where handlers are slow. With `concurrency` at most 10,000. Default: 0.
   */
  prefetch?: number | undefined;
  /** For how long a message is hidden from others; it is extended while its handler runs. Default: 30,000. */
  visibility?: number | undefined;
  /** After this time a message is no longer extended, and its handler is cancelled when its visibility ends. Default: none. */
  maxProcessing?: number | undefined;
  /** How long a shutdown waits for handlers. Default: 25,000. */
  grace?: number | undefined;
  /**
   * How long after the loss of this worker its messages come back, if that is before the end of their visibility; 0: only then.
   * Default: 5,000.
   */
  disconnectGrace?: number | undefined;
  /** Longest wait of one pull. Default: 5,000. */
  block?: number | undefined;
  /** Longest time for which an acknowledgment waits for the next pull. Default: 50. */
  ackDelay?: number | undefined;
  /** Who holds the messages, as `peek` shows it. Default: host name and process id. */
  consumer?: string | undefined;
  /** Functions around the handler, the outermost first. Default: none. */
  middleware?: readonly Middleware[] | undefined;
  /** The signals that stop `run`. Default: SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[] | undefined;
  /** Is called with what happens. Default: `logLines`, JSON on standard error. */
  log?: Log | undefined;
}

/** The options with their defaults. */
export interface Configuration {
  queues: readonly string[];
  handler: (message: Message, context: Context) => Promise<unknown>;
  concurrency: number;
  prefetch: number;
  visibility: number;
  maxProcessing: number;
  grace: number;
  /** 0: none. Otherwise shorter than the visibility. */
  disconnectGrace: number;
  block: number;
  ackDelay: number;
  consumer: string;
  signals: readonly NodeJS.Signals[];
  log: Log;
}

export function configurationOf(queues: string | readonly string[], handler: Handler, options: WorkerOptions): Configuration {
  const { concurrency = 10, prefetch = 0, visibility = 30_000, disconnectGrace = 5_000, middleware = [] } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 10_000) throw new RangeError('concurrency is 1 to 10,000');
  if (!Number.isInteger(prefetch) || prefetch < 0 || concurrency + prefetch > 10_000) {
    throw new RangeError('prefetch is 0 to 10,000, less the concurrency');
  }
  return {
    queues: [queues].flat(),
    handler: wrapped(handler, middleware),
    concurrency,
    prefetch,
    visibility,
    maxProcessing: options.maxProcessing ?? Infinity,
    grace: options.grace ?? 25_000,
    disconnectGrace: disconnectGrace < visibility ? disconnectGrace : 0,
    block: options.block ?? 5_000,
    ackDelay: options.ackDelay ?? 50,
    consumer: options.consumer ?? `${hostname()}:${process.pid}`,
    signals: options.signals ?? ['SIGTERM', 'SIGINT'],
    log: options.log ?? logLines,
  };
}

function wrapped(handler: Handler, middleware: readonly Middleware[]): Configuration['handler'] {
  return middleware.reduceRight<Configuration['handler']>(
    (next, around) => async (message, context) => around(message, context, () => next(message, context)),
    async (message, context) => handler(message, context),
  );
}
