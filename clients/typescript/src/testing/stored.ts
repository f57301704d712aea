// A message as the fake keeps it, and as it shows it.

import { randomBytes } from 'node:crypto';
import type { Reply } from '../connection.js';
import type { State } from '../message.js';

export interface Death {
  from: string;
  at: number;
  reason: 'retries' | 'rejected' | 'expired';
  retries: number;
  /** Its place in the order of the dead-letter queue: where it returns. */
  place: number;
}

export interface Stored {
  readonly id: string;
  readonly payload: Buffer;
  readonly timestamp: number;
  readonly headers: readonly [Buffer, Buffer][];
  readonly priority: number;
  readonly group: string | undefined;
  state: State;
  /** Ready: since when, which is its place in the order. */
  since: number;
  /** Its place since it was pushed: where it returns when its visibility ends, unless it has died. */
  readonly origin: number;
  /** The place in its group. */
  place: number;
  /** In flight: when its visibility ends. Delayed: when it becomes ready. */
  due: number;
  expiresAt: number | undefined;
  /** Then it dies instead of being discarded. */
  readonly diesOfTtl: boolean;
  retryCount: number;
  /** In this queue, and so it can be acknowledged, or not any more. */
  wasDelivered: boolean;
  /** Of the last delivery; undefined if that was nacked. */
  receipt: string | undefined;
  /** Whether its last return was counted, and was no nack: an extension takes that back. */
  wasCounted: boolean;
  consumer: string | undefined;
  deliveries: number;
  firstDeliveredAt: number;
  lastError: string | undefined;
  death: Death | undefined;
}

/** The priority that has effect: a dead letter has none. */
export function priorityOf(message: Stored): number {
  return message.death ? 0 : message.priority;
}

/** The group that has effect: a dead letter has none. */
export function groupOf(message: Stored): string {
  return message.death ? '' : (message.group ?? '');
}

let counter = 0;

/** A version 7 UUID. Later ones are greater. */
export function newId(now: number): string {
  counter = (counter + 1) % 2 ** 32;
  const time = now.toString(16).padStart(12, '0');
  const count = counter.toString(16).padStart(8, '0');
  const middle = `7${count.slice(0, 3)}-8${count.slice(3, 6)}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-${middle}-${count.slice(6)}${randomBytes(5).toString('hex')}`;
}

/** A message as a delivery, or as MQ.PEEK and MQ.GET show it. */
export function shown(message: Stored, queue: string, as: 'delivery' | 'record'): Reply {
  const { state, death } = message;
  const isRecord = as === 'record';
  const isHeld = state === 'inflight';
  const wasDelivered = message.deliveries > (isRecord && !isHeld ? 0 : 1);
  const fields: Record<string, Reply | undefined> = {
    id: message.id,
    queue,
    payload: message.payload,
    timestamp: message.timestamp,
    retry_count: message.retryCount,
    state: isRecord ? state : undefined,
    visibility_until: isHeld ? message.due : undefined,
    receipt: isHeld && !isRecord ? message.receipt : undefined,
    consumer: isHeld && isRecord ? message.consumer : undefined,
    due_at: state === 'delayed' ? message.due : undefined,
    headers: message.headers.length > 0 ? message.headers.flat() : undefined,
    priority: message.priority > 0 ? message.priority : undefined,
    group: message.group,
    expires_at: message.expiresAt,
    deliveries: wasDelivered ? message.deliveries : undefined,
    first_delivered_at: wasDelivered ? message.firstDeliveredAt : undefined,
    last_error: message.lastError,
    dead_from: death?.from,
    dead_at: death?.at,
    dead_reason: death?.reason,
    dead_retries: death?.retries,
  };
  return Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
}
