// The settings of a queue and what MQ.INFO and MQ.STATS tell of it, by names in the manner of JavaScript.

import type { Reply, Word } from './connection.js';
import { pairsOf, textOf } from './reply.js';

/** The settings of a queue, as in `MQ.CONFIG`. Lengths of time are milliseconds. */
export interface Settings {
  visibility: number;
  maxRetries: number;
  deadLetter: string;
  backoff: number;
  backoffMax: number;
  delay: number;
  ttl: number;
  maxLen: number;
  maxInflight: number;
  rate: number;
  ratePeriod: number;
  aging: number;
  groupInflight: number;
  dedupWindow: number;
  maxDedup: number;
  expires: number;
}

/** What `MQ.INFO` tells of a queue. Moments that are not known, or do not apply, are undefined. */
export interface Info extends Settings {
  exists: boolean;
  /** Ready messages in the dead-letter queue. */
  deadLetterWaiting: number;
  ready: number;
  inflight: number;
  delayed: number;
  /** Ready messages by their priority. */
  priorities: Record<number, number>;
  groups: number;
  dedupKeys: number;
  paused: boolean;
  pausedUntil: Date | undefined;
  rateWindowStart: Date | undefined;
  rateWindowCount: number;
  oldestReadyAgeMs: number;
  oldestInflightAgeMs: number;
  oldestDelayedAgeMs: number;
  nextDueAt: Date | undefined;
  highestRetryCount: number;
  blockedClients: number;
  damaged: number;
  schedules: number;
  nextTickAt: Date | undefined;
  pushed: number;
  pulled: number;
  acked: number;
  lateAcks: number;
  nacked: number;
  expired: number;
  dead: number;
  deadDiscarded: number;
  badReceipts: number;
  ttlExpired: number;
  deduplicated: number;
  redriven: number;
  refusedFull: number;
  deleted: number;
  ticks: number;
  ticksMissed: number;
  ticksSkipped: number;
  /** From the push of a message to its first delivery; a delay is part of it. */
  deliveryTimes: Histogram;
  /** From a delivery to its acknowledgment. */
  processingTimes: Histogram;
}

/** How long something took, each time since the server started. */
export interface Histogram {
  count: number;
  /** All times together. */
  sumMs: number;
  /**
   * How many times were at most as long as each bound in milliseconds. Bounds without a time of their own are left out, as times beyond the
   * last bound, twelve days.
   */
  buckets: Record<number, number>;
}

/** What `stats` tells of one queue: its name, and what `info` returns, or the text of the server if the queue can't be read. */
export type Stats = { queue: string; info: Info; error?: undefined } | { queue: string; info?: undefined; error: string };

// The server writes the names of settings as one word.
const NAMES: (keyof Settings)[] = [
  'deadLetter', 'visibility', 'maxRetries', 'backoff', 'backoffMax', 'delay', 'ttl', 'maxLen', 'maxInflight', 'rate', 'ratePeriod', 'aging',
  'groupInflight', 'dedupWindow', 'maxDedup', 'expires',
];
const NAME_OF = new Map<string, string>([...NAMES.map((name) => [name.toLowerCase(), name] as const), ['deadletter_waiting', 'deadLetterWaiting']]);

/** The words that set these settings; null stands for the default. */
export function settingWords(settings: { [Name in keyof Settings]?: Settings[Name] | null | undefined }): Word[] {
  const { deadLetter, ...others } = settings; // it comes first: no value before it may be DEADLETTER
  return Object.entries({ deadLetter, ...others }).flatMap(([name, value]): Word[] => {
    if (value === undefined) return [];
    if (value !== null) return [name.toUpperCase(), String(value)];
    return name === 'deadLetter' ? ['DEFAULTDEADLETTER'] : [name.toUpperCase(), ''];
  });
}

export function settingsOf(reply: Reply): Settings {
  return fieldsOf(reply) as unknown as Settings;
}

export function infoOf(reply: Reply): Info {
  return fieldsOf(reply) as unknown as Info;
}

export function statsOf(reply: Reply): Stats {
  const { queue, error, ...info } = fieldsOf(reply);
  return (error === undefined ? { queue, info } : { queue, error }) as Stats;
}

function fieldsOf(reply: Reply): Record<string, unknown> {
  return Object.fromEntries(
    pairsOf(reply).map(([key, value]) => {
      const name = textOf(key);
      return [NAME_OF.get(name) ?? name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), fieldOf(name, value)];
    }),
  );
}

function fieldOf(name: string, value: Reply): unknown {
  if (name === 'deadletter' || name === 'queue' || name === 'error') return textOf(value);
  if (name === 'priorities' || name === 'buckets') return countsOf(value);
  if (name === 'delivery_times' || name === 'processing_times') return fieldsOf(value);
  if (name === 'exists' || name === 'paused') return Number(value) === 1;
  if (/_(at|until|start)$/.test(name)) return Number(value) === 0 ? undefined : new Date(Number(value));
  return Number(value);
}

function countsOf(reply: Reply): Record<number, number> {
  return Object.fromEntries(pairsOf(reply).map(([number, count]) => [Number(textOf(number)), Number(count)]));
}
