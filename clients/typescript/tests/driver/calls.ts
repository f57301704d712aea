// The calls of the contract as calls of the client, and its results in the contract's words.

import { Client, InvalidArgumentError, InvalidReceiptError, Message, NotFoundError, QueueFullError, TryAgainError } from 'redis-mq';
import { CorruptError, WrongTypeError, type Delivery, type Histogram, type Info, type Schedule, type Settings } from 'redis-mq';

// Arguments come as JSON from the contract, which knows their types.
export type Call = { call: string } & Record<string, any>;

const ERRORS: [new (message: string) => Error, string][] = [
  [NotFoundError, 'not_found'],
  [InvalidReceiptError, 'invalid_receipt'],
  [QueueFullError, 'queue_full'],
  [InvalidArgumentError, 'invalid_argument'],
  [WrongTypeError, 'wrong_type'],
  [TryAgainError, 'try_again'],
  [CorruptError, 'corrupt'],
];

/** Carries out a call, and returns the line of the answer. */
export async function answer(client: Client, call: Call): Promise<object> {
  try {
    return { ok: (await result(client, call)) ?? null };
  } catch (error) {
    return { error: ERRORS.find(([type]) => error instanceof type)?.[1] ?? 'other', text: String(error) };
  }
}

async function result(client: Client, call: Call): Promise<unknown> {
  const { queue, message, messages } = call;
  const payload = bytes(call['payload']);
  switch (call.call) {
    case 'push':
      return client.push(queue, payload, pushOptions(call));
    case 'push_many':
      return client.pushMany(queue, call['payloads'].map(bytes), pushOptions(call));
    case 'publish':
      return client.publish(queue, payload, { ...pushOptions(call), patience: call['patience'] });
    case 'pull':
      return pull(client, call);
    case 'pull_many':
      return pullMany(client, call);
    case 'ack':
      return client.ack(message);
    case 'nack':
      return client.nack(message, nackOptions(call));
    case 'extend':
      return Number(await client.extend(message, call['visibility']));
    case 'ack_many':
      return client.ackMany(messages);
    case 'nack_many':
      return client.nackMany(messages, nackOptions(call));
    case 'extend_many':
      return (await client.extendMany(messages, call['visibility'])).map((one) => (one instanceof Date ? Number(one) : one));
    case 'extend_consumer':
      return client.extendConsumer(queue, call['consumer'], call['visibility']);
    case 'peek':
      return (await client.peek(queue, { state: call['state'], offset: call['offset'], count: call['count'] })).map(plain);
    case 'get':
      return plain(await client.get(queue, call['id'] ?? { dedup: call['dedup'] }));
    case 'delete':
      return client.delete(queue, call['ids'] ?? { dedup: call['dedup'] });
    case 'reschedule':
      return client.reschedule(queue, call['id'], call['delay'] ?? new Date(call['at']));
    case 'len':
      return client.len(queue, call['state']);
    case 'info':
      return plainInfo(await client.info(queue));
    case 'config':
      return plainInfo(await client.config(queue));
    case 'configure':
      return client.configure(queue, settings(call['settings']));
    case 'pause':
      return client.pause(queue, call['for']);
    case 'resume':
      return client.resume(queue);
    case 'purge':
      return client.purge(queue, call['state']);
    case 'drop':
      return client.drop(queue);
    case 'queues':
      return client.queues(call['match']);
    case 'stats':
      return (await client.stats(call['match'])).map(({ queue: name, info, error }) => ({ queue: name, error, ...(info && plainInfo(info)) }));
    case 'schedule':
      return client.schedule(queue, call['name'], payload, scheduleOptions(call));
    case 'unschedule':
      return client.unschedule(queue, call['name']);
    case 'schedules':
      return (await client.schedules(queue, { match: call['match'], offset: call['offset'], count: call['count'] })).map(plainSchedule);
    case 'next':
      return (await client.nextTicks(queue, call['name'], { count: call['count'], from: moment(call['from']) })).map(Number);
    case 'trigger':
      return client.trigger(queue, call['name']);
    case 'redrive':
      return client.redrive(queue, redriveOptions(call));
    default:
      throw new Error(`unknown call ${call.call}`);
  }
}

async function pull(client: Client, call: Call): Promise<unknown> {
  const options = pullOptions(call);
  const ack: Delivery[] | undefined = call['ack'];
  if (!ack) return plain(await client.pull(call['queues'] ?? call['queue'], options));
  const { acked, message } = await client.pull(call['queue'], { ...options, ack });
  return { acked, message: plain(message) };
}

async function pullMany(client: Client, call: Call): Promise<unknown> {
  const options = pullOptions(call);
  const ack: Delivery[] | undefined = call['ack'];
  if (!ack) return (await client.pullMany(call['queues'] ?? call['queue'], call['count'], options)).map(plain);
  const { acked, messages } = await client.pullMany(call['queue'], call['count'], { ...options, ack });
  return { acked, messages: messages.map(plain) };
}

function pushOptions(call: Call) {
  const at = moment(call['at']);
  const { delay, ttl, ttl_dead: ttlDead, priority, group, dedup, window, until_done: untilDone, headers } = call;
  return { delay, at, ttl, ttlDead, priority, group, dedup, window, untilDone, headers };
}

function scheduleOptions(call: Call) {
  const { every, cron, zone, limit, jitter, catchup, overlap, paused, ttl, ttl_dead: ttlDead, priority, group, headers } = call;
  const [start, end] = [moment(call['start']), moment(call['end'])];
  return { every, cron, zone, start, end, limit, jitter, catchup, overlap, paused, ttl, ttlDead, priority, group, headers };
}

function moment(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}

function pullOptions(call: Call) {
  const { visibility, block, consumer, on_disconnect: how, no_ack: noAck } = call;
  const onDisconnect = typeof how === 'object' ? { noCount: how.no_count, grace: how.grace } : how;
  return { visibility, block, consumer, onDisconnect, noAck };
}

function nackOptions(call: Call) {
  const { delay, no_count: noCount, front, dead, reason } = call;
  return { delay, noCount, front, dead, reason };
}

function redriveOptions(call: Call) {
  const { count, all, ids, from, reason, to } = call;
  return { count, all, ids, from, reason, to };
}

function bytes(base64: string | undefined): Buffer {
  return Buffer.from(base64 ?? '', 'base64');
}

const SETTINGS: (keyof Settings)[] = ['visibility', 'maxRetries', 'maxLen', 'deadLetter', 'backoff', 'expires'];

function settings(named: Record<string, unknown>): Partial<Settings> {
  return Object.fromEntries(SETTINGS.map((name) => [name, named[name.toLowerCase()]]));
}

/** A message with the names of the server. */
function plain(message: Message | null): object | null {
  return message && plainFields(message);
}

/** A schedule with the names of the server. */
function plainSchedule({ paused, ttlDead, ...others }: Schedule): object {
  const numbers = { paused: Number(paused), dead: ttlDead ? 1 : undefined };
  return plainFields({ ...others, ...numbers });
}

function plainFields<T extends Pick<Message, 'rawHeaders' | 'headers' | 'payload'>>({ rawHeaders, headers, payload, ...others }: T): object {
  const fields: Record<string, unknown> = { payload: payload.toString('base64') };
  if (rawHeaders.length > 0) fields['headers'] = headers;
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined) continue;
    fields[snakeCase(name)] = value instanceof Date ? Number(value) : value;
  }
  return fields;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function plainHistogram({ count, sumMs, buckets }: Histogram): object {
  return { count, sum_ms: sumMs, buckets };
}

/** What MQ.INFO and MQ.CONFIG tell, as numbers and with the names of the server. */
function plainInfo(info: Info | Settings): object {
  return Object.fromEntries(
    Object.entries(info).map(([name, value]) => {
      if (name === 'deliveryTimes' || name === 'processingTimes') return [snakeCase(name), plainHistogram(value as Histogram)];
      const plainName = SETTINGS.includes(name as keyof Settings) ? name.toLowerCase() : snakeCase(name.replace('deadLetter', 'deadletter'));
      return [plainName, typeof value === 'string' || typeof value === 'object' ? value : Number(value ?? 0)];
    }),
  );
}
