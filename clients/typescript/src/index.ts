// What the package is made of: the client, the worker, their options, messages and errors.

export { Client, type ClientOptions, type Outcome, type PushMiddleware, type Refusal } from './client.js';
export type { Connection, OwnConnection, Reply, Word } from './connection.js';
export {
  CorruptError, InvalidArgumentError, InvalidReceiptError, MqError, NotFoundError, QueueFullError, TryAgainError, UnansweredError, WrongTypeError,
} from './errors.js';
export { Message, type Delivery, type State } from './message.js';
export type {
  ByDedup, Bytes, MessageHeaders, NackOptions, OnDisconnect, PeekOptions, PublishOptions, PullOptions, PushManyOptions, PushOptions,
  RedriveOptions,
} from './options.js';
export type { Redis } from './redis.js';
export {
  Schedule, type Catchup, type NextTicksOptions, type Overlap, type Rhythm, type ScheduleOptions, type SchedulesOptions,
} from './schedules.js';
export type { Histogram, Info, Settings, Stats } from './settings.js';
export { Dead, Release, Retry } from './outcomes.js';
export { logLines, type Log, type LogEntry } from './worker/log.js';
export type { Context, Handler, Middleware, WorkerOptions } from './worker/options.js';
export { Worker } from './worker/worker.js';
