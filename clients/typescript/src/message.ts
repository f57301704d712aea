// A message as the server shows it, in deliveries, in MQ.PEEK and in MQ.GET.

import type { Reply } from './connection.js';
import { bytesOf, fieldsOf, pairsOf, textOf } from './reply.js';

/** Where a message is: it waits, a consumer holds it, or its time has not come. */
export type State = 'ready' | 'inflight' | 'delayed';

/** What identifies a delivery: a message that was pulled, or its queue, id and receipt. */
export interface Delivery {
  readonly queue: string;
  readonly id: string;
  readonly receipt?: string | undefined;
}

/** A message. Fields that do not apply are undefined. Text that is no UTF-8 is read with replacement characters. */
export class Message implements Delivery {
  /** A UUID. Ids of later pushes are greater. */
  readonly id: string;
  readonly queue: string;
  /** The bytes that were pushed. See also `text()` and `json()`. */
  readonly payload: Buffer;
  /** When it was pushed. */
  readonly timestamp: Date;
  /** How often it came back and was counted: 0 on the first delivery. */
  readonly retryCount: number;
  /** The headers as text; empty if there are none. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names and values of the headers as bytes, in the order of the push. */
  readonly rawHeaders: readonly (readonly [Buffer, Buffer])[];

  /** Proves that this consumer holds the message. Deliveries only, and not those of a pull with `noAck`. */
  readonly receipt: string | undefined;
  /** When this delivery ends. Deliveries with a receipt, and what `peek` and `get` show of messages in flight. */
  readonly visibilityUntil: Date | undefined;
  /** Only shown by `peek` and `get`. */
  readonly state: State | undefined;
  /** Who holds it. Only shown by `peek` and `get`. */
  readonly consumer: string | undefined;
  /** When it becomes ready. Only shown by `peek` and `get` of a delayed message. */
  readonly dueAt: Date | undefined;

  /** 1 to 9. */
  readonly priority: number | undefined;
  readonly group: string | undefined;
  /** When its time to live ends. */
  readonly expiresAt: Date | undefined;
  /** How often it was delivered, counted or not, this delivery included; undefined before the second. */
  readonly deliveries: number | undefined;
  /** When it was delivered first; undefined before the second delivery. */
  readonly firstDeliveredAt: Date | undefined;
  /** The last reason that was given with `nack`. */
  readonly lastError: string | undefined;

  /** The queue in which it died. This and the next three: dead letters only. */
  readonly deadFrom: string | undefined;
  readonly deadAt: Date | undefined;
  /** `retries`: it came back too often. `rejected`: it was nacked with `dead`. `expired`: its time to live, with `ttlDead`, was over. */
  readonly deadReason: 'retries' | 'rejected' | 'expired' | undefined;
  /** Its last `retryCount` in that queue. */
  readonly deadRetries: number | undefined;

  constructor(reply: Reply) {
    const fields = fieldsOf(reply);
    const optional = <T>(name: string, read: (value: Reply) => T): T | undefined => {
      const value = fields.get(name);
      return value === undefined || value === null ? undefined : read(value);
    };
    const moment = (value: Reply): Date => new Date(Number(value));

    this.id = optional('id', textOf) ?? '';
    this.queue = optional('queue', textOf) ?? '';
    this.payload = optional('payload', bytesOf) ?? Buffer.alloc(0);
    this.timestamp = moment(fields.get('timestamp') ?? 0);
    this.retryCount = optional('retry_count', Number) ?? 0;
    const headers = optional('headers', pairsOf) ?? [];
    this.rawHeaders = headers.map(([name, value]) => [bytesOf(name), bytesOf(value)] as const);
    this.headers = textHeaders(this.rawHeaders);
    this.receipt = optional('receipt', textOf);
    this.visibilityUntil = optional('visibility_until', moment);
    this.state = optional('state', textOf) as State | undefined;
    this.consumer = optional('consumer', textOf);
    this.dueAt = optional('due_at', moment);
    this.priority = optional('priority', Number);
    this.group = optional('group', textOf);
    this.expiresAt = optional('expires_at', moment);
    this.deliveries = optional('deliveries', Number);
    this.firstDeliveredAt = optional('first_delivered_at', moment);
    this.lastError = optional('last_error', textOf);
    this.deadFrom = optional('dead_from', textOf);
    this.deadAt = optional('dead_at', moment);
    this.deadReason = optional('dead_reason', textOf) as Message['deadReason'];
    this.deadRetries = optional('dead_retries', Number);
  }

  /** The payload as UTF-8 text. Throws a `TypeError` if it is none. */
  text(): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.payload);
  }

  /** The payload as JSON. Throws a `SyntaxError` if it is none, or a `TypeError` if it is not even text. */
  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }
}

export function textHeaders(headers: Message['rawHeaders']): Record<string, string> {
  const result = Object.create(null) as Record<string, string>; // so that no name finds what objects inherit
  for (const [name, value] of headers) result[name.toString()] = value.toString();
  return result;
}

/** Splits what belongs to deliveries into batches, which are of one queue each. */
export function byQueue<T>(items: readonly T[], deliveryOf: (item: T) => Delivery): T[][] {
  const batches = new Map<string, T[]>();
  for (const item of items) {
    const { queue } = deliveryOf(item);
    const batch = batches.get(queue);
    if (batch) batch.push(item);
    else batches.set(queue, [item]);
  }
  return [...batches.values()];
}
