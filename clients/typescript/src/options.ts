// The options of the client's methods, and the words of a command that they stand for. The server checks their values.

import type { Word } from './connection.js';
import type { Delivery, State } from './message.js';

/** Text stands for its UTF-8 bytes. */
export type Bytes = string | Uint8Array;

/** Headers as an object, or as pairs of name and value. */
export type MessageHeaders = Readonly<Record<string, Bytes>> | Iterable<readonly [Bytes, Bytes]>;

/** Options of `pushMany`. Lengths of time are milliseconds. */
export interface PushManyOptions {
  /** How long it stays hidden first. Default: the queue's setting. Not with `at`. */
  delay?: number | undefined;
  /** When it becomes ready. */
  at?: Date | undefined;
  /** It is not delivered later than this after the push; 0: no limit. Default: the queue's setting. */
  ttl?: number | undefined;
  /** When its `ttl` ends, it goes to the dead-letter queue instead of being discarded. */
  ttlDead?: boolean | undefined;
  /** 0 to 9; 9 is delivered first. Not with `group`. */
  priority?: number | undefined;
  /** Messages of a group are delivered in order, one at a time. */
  group?: string | undefined;
  headers?: MessageHeaders | undefined;
}

/** Options of `push`. Lengths of time are milliseconds. */
export interface PushOptions extends PushManyOptions {
  /** While this key is held, nothing is pushed, and the result is the id of the message that took it. */
  dedup?: string | undefined;
  /** How long the key is held. Default: the queue's setting, five minutes. */
  window?: number | undefined;
  /** The key is held until the message is acknowledged, dead, discarded or deleted. */
  untilDone?: boolean | undefined;
}

/** Options of `publish`. Lengths of time are milliseconds. */
export interface PublishOptions extends PushOptions {
  /** How long to repeat the push. Default: 30,000. */
  patience?: number | undefined;
}

/** How messages come back whose connection closed. */
export interface OnDisconnect {
  /** This return is not counted as a retry, and has no backoff. */
  noCount?: boolean | undefined;
  /** They come back so many milliseconds later, unless they are extended or acknowledged meanwhile. Default: at once. */
  grace?: number | undefined;
}

/** Options of `pull` and `pullMany`. Lengths of time are milliseconds. */
export interface PullOptions {
  /** How long the message stays hidden from others. Default: the queue's setting, 30,000. */
  visibility?: number | undefined;
  /** How long to wait for a message; 0: for ever. A connection that waits can do nothing else. Default: not at all. */
  block?: number | undefined;
  /** Who holds the message, as `peek` shows it. */
  consumer?: string | undefined;
  /** When this connection closes, the message comes back. */
  onDisconnect?: boolean | OnDisconnect | undefined;
  /** The message is removed by its delivery: at most once. */
  noAck?: boolean | undefined;
}

/** Options of `nack` and `nackMany`. Lengths of time are milliseconds. */
export interface NackOptions {
  /** How long the message stays hidden. Default: the queue's backoff. */
  delay?: number | undefined;
  /** This return is not counted as a retry. */
  noCount?: boolean | undefined;
  /** With `noCount` and without `delay`: back to its original position, instead of behind all that wait. */
  front?: boolean | undefined;
  /** To the dead-letter queue, at once. */
  dead?: boolean | undefined;
  /** Is kept as `lastError`, up to 1,024 bytes. */
  reason?: string | undefined;
}

/** The message that took a deduplication key, as long as the key is held. */
export interface ByDedup {
  dedup: string;
}

/** Options of `peek`. */
export interface PeekOptions {
  /** Default: ready. `dead`: ready messages of its dead-letter queue. */
  state?: State | 'dead' | undefined;
  offset?: number | undefined;
  /** At most 1,000. Default: 10. */
  count?: number | undefined;
}

/** Options of `redrive`. At most one of `count`, `all` and `ids`; default: 1,000 messages. */
export interface RedriveOptions {
  count?: number | undefined;
  all?: boolean | undefined;
  ids?: readonly string[] | undefined;
  /** Only those that died in this queue. */
  from?: string | undefined;
  /** Only those with this `deadReason` or `lastError`. */
  reason?: string | undefined;
  /** Where to move them. Default: where they died. */
  to?: string | undefined;
}

export function wordOf(bytes: Bytes): Word {
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An option with its value, or nothing. */
export function option(name: string, value: string | number | Date | undefined): Word[] {
  if (value === undefined) return [];
  return [name, typeof value === 'string' ? value : String(Math.round(Number(value)))];
}

export function flag(name: string, isSet: boolean | undefined): Word[] {
  return isSet ? [name] : [];
}

const PUSH_OPTIONS = namesOf<PushOptions>({
  delay: 0, at: 0, ttl: 0, ttlDead: 0, priority: 0, group: 0, dedup: 0, window: 0, untilDone: 0, headers: 0,
});
const PULL_OPTIONS = namesOf<PullOptions & { ack: unknown }>({
  visibility: 0, block: 0, consumer: 0, onDisconnect: 0, noAck: 0, ack: 0,
});

/** The compiler sees that no name is missing. */
function namesOf<Options>(names: Record<keyof Options, 0>): ReadonlySet<string> {
  return new Set(Object.keys(names));
}

/** An option that is misspelt would be ignored, and the server never hear of it. */
function refuseUnknown(options: object, names: ReadonlySet<string>): void {
  for (const name in options) {
    if (!names.has(name)) throw new TypeError(`there is no option ${name}`);
  }
}

export function pushWords(options: PushOptions): Word[] {
  refuseUnknown(options, PUSH_OPTIONS);
  return [
    ...option('DELAY', options.delay),
    ...option('AT', options.at),
    ...option('TTL', options.ttl),
    ...flag('DEAD', options.ttlDead),
    ...option('PRIORITY', options.priority),
    ...option('GROUP', options.group),
    ...option('DEDUP', options.dedup),
    ...option('WINDOW', options.window),
    ...flag('UNTILDONE', options.untilDone),
    ...headerWords(options.headers),
  ];
}

export function headerPairs(headers: MessageHeaders = {}): (readonly [Bytes, Bytes])[] {
  return Symbol.iterator in headers ? [...headers] : Object.entries(headers);
}

export function headerWords(headers: MessageHeaders | undefined): Word[] {
  const pairs = headerPairs(headers);
  return pairs.length === 0 ? [] : ['HEADERS', String(pairs.length), ...pairs.flat().map(wordOf)];
}

export function pullWords(options: PullOptions): Word[] {
  refuseUnknown(options, PULL_OPTIONS);
  return [
    ...option('VISIBILITY', options.visibility),
    ...option('BLOCK', options.block),
    ...option('CONSUMER', options.consumer),
    ...disconnectWords(options.onDisconnect),
    ...flag('NOACK', options.noAck),
  ];
}

function disconnectWords(how: boolean | OnDisconnect = false): Word[] {
  if (typeof how === 'boolean') return flag('ONDISCONNECT', how);
  return ['ONDISCONNECT', ...flag('NOCOUNT', how.noCount), ...option('GRACE', how.grace)];
}

export function nackWords(options: NackOptions): Word[] {
  return [
    ...option('DELAY', options.delay),
    ...flag('NOCOUNT', options.noCount),
    ...flag('FRONT', options.front),
    ...flag('DEAD', options.dead),
    ...option('REASON', options.reason),
  ];
}

export function peekWords(options: PeekOptions): Word[] {
  return [
    ...flag(options.state?.toUpperCase() ?? '', options.state !== undefined),
    ...option('OFFSET', options.offset),
    ...option('COUNT', options.count),
  ];
}

/** TO comes first: no value before it may be that word. */
export function redriveWords(options: RedriveOptions): Word[] {
  const { ids } = options;
  return [
    ...option('TO', options.to),
    ...option('COUNT', options.count),
    ...flag('ALL', options.all),
    ...(ids ? ['IDS', String(ids.length), ...ids] : []),
    ...option('FROM', options.from),
    ...option('REASON', options.reason),
  ];
}

/** The id and the receipt of a delivery. */
export function pairOf({ id, receipt }: Delivery): [Word, Word] {
  if (receipt === undefined) throw new TypeError(`message ${id} has no receipt: it was not pulled, or pulled with noAck`);
  return [id, receipt];
}

export function batchWords(name: string, deliveries: readonly Delivery[]): Word[] {
  return [name, String(deliveries.length), ...deliveries.flatMap(pairOf)];
}
