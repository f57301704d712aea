// The settings of a queue and what MQ.INFO tells of it, by names in the manner of JavaScript.

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
}

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

function fieldsOf(reply: Reply): Record<string, unknown> {
  return Object.fromEntries(
    pairsOf(reply).map(([key, value]) => {
      const name = textOf(key);
      return [NAME_OF.get(name) ?? name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), fieldOf(name, value)];
    }),
  );
}

function fieldOf(name: string, value: Reply): unknown {
  if (name === 'deadletter') return textOf(value);
  if (name === 'priorities') return Object.fromEntries(pairsOf(value).map(([priority, count]) => [Number(textOf(priority)), Number(count)]));
  if (name === 'exists' || name === 'paused') return Number(value) === 1;
  if (/_(at|until|start)$/.test(name)) return Number(value) === 0 ? undefined : new Date(Number(value));
  return Number(value);
}
