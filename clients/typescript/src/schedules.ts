// Schedules: how they are set, and how the server shows them.

import type { Reply, Word } from './connection.js';
import { textHeaders } from './message.js';
import { flag, headerWords, option, type MessageHeaders } from './options.js';
import { bytesOf, fieldsOf, pairsOf, textOf } from './reply.js';

/** What happens to ticks that are late: none of them has a message, the newest one, or each of them. */
export type Catchup = 'none' | 'one' | 'all';

/** Whether a tick has a message while an earlier one of the same schedule is in the queue. */
export type Overlap = 'allow' | 'skip';

/** When the ticks are: at an interval in milliseconds, or by a cron expression and an IANA time zone, which is UTC unless given. */
export type Rhythm =
  | { every: number; cron?: undefined; zone?: undefined }
  | { every?: undefined; cron: string; zone?: string | undefined };

/** Options of `schedule`. Lengths of time are milliseconds. */
export type ScheduleOptions = Rhythm & {
  /** No tick is earlier. The interval counts from here. */
  start?: Date | undefined;
  /** No tick is later. After the last one, the schedule is removed. */
  end?: Date | undefined;
  /** The schedule is removed after so many messages. */
  limit?: number | undefined;
  /** Each message comes later than its tick, by a part of this time that is fixed for the tick. Default: 0. */
  jitter?: number | undefined;
  /** Default: `one`. */
  catchup?: Catchup | undefined;
  /** Default: `allow`. */
  overlap?: Overlap | undefined;
  /** There are no ticks until it is set without this. */
  paused?: boolean | undefined;
  /** Of the messages, as are the others below. Default: the queue's setting. */
  ttl?: number | undefined;
  /** When its `ttl` ends, a message goes to the dead-letter queue instead of being discarded. */
  ttlDead?: boolean | undefined;
  /** 0 to 9; 9 is delivered first. Not with `group`. */
  priority?: number | undefined;
  group?: string | undefined;
  headers?: MessageHeaders | undefined;
};

/** Options of `schedules`. */
export interface SchedulesOptions {
  /** Only names that match, by a pattern as that of `KEYS`. */
  match?: string | undefined;
  offset?: number | undefined;
  /** At most 1,000. Default: 100. */
  count?: number | undefined;
}

/** Options of `nextTicks`. */
export interface NextTicksOptions {
  /** At most 1,000. Default: 10. */
  count?: number | undefined;
  /** Ticks at this moment and later. Default: from the next tick on, which may be overdue. */
  from?: Date | undefined;
}

/** A schedule as the server shows it. Fields that do not apply are undefined. Lengths of time are milliseconds. */
export class Schedule {
  readonly name: string;
  readonly payload: Buffer;
  /** The interval. Otherwise it has the next two. */
  readonly every: number | undefined;
  readonly cron: string | undefined;
  readonly zone: string | undefined;
  readonly start: Date | undefined;
  readonly end: Date | undefined;
  readonly limit: number | undefined;
  readonly jitter: number;
  readonly catchup: Catchup;
  readonly overlap: Overlap;
  readonly paused: boolean;
  /** Without jitter; undefined for a paused schedule. */
  readonly nextTick: Date | undefined;
  /** The last tick that had a message or was skipped. */
  readonly lastTick: Date | undefined;
  /** How many ticks had a message. */
  readonly runs: number;
  /** How many late ticks had no message of their own. */
  readonly missed: number;
  /** How many ticks had no message because of `overlap` or a full queue. */
  readonly skipped: number;
  /** How many messages `trigger` pushed. */
  readonly triggered: number;
  readonly ttl: number | undefined;
  readonly ttlDead: boolean;
  /** 1 to 9. */
  readonly priority: number | undefined;
  readonly group: string | undefined;
  /** The headers as text; empty if there are none. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names and values of the headers as bytes, in their order. */
  readonly rawHeaders: readonly (readonly [Buffer, Buffer])[];

  constructor(reply: Reply) {
    const fields = fieldsOf(reply);
    const optional = <T>(name: string, read: (value: Reply) => T): T | undefined => {
      const value = fields.get(name);
      return value === undefined || value === null ? undefined : read(value);
    };
    const number = (name: string): number => optional(name, Number) ?? 0;
    const word = (name: string): string | undefined => optional(name, textOf)?.toLowerCase();
    const moment = (value: Reply): Date => new Date(Number(value));

    this.name = optional('name', textOf) ?? '';
    this.payload = optional('payload', bytesOf) ?? Buffer.alloc(0);
    this.every = optional('every', Number);
    this.cron = optional('cron', textOf);
    this.zone = optional('zone', textOf);
    this.start = optional('start', moment);
    this.end = optional('end', moment);
    this.limit = optional('limit', Number);
    this.jitter = number('jitter');
    this.catchup = word('catchup') as Catchup;
    this.overlap = word('overlap') as Overlap;
    this.paused = number('paused') === 1;
    this.nextTick = optional('next_tick', moment);
    this.lastTick = optional('last_tick', moment);
    this.runs = number('runs');
    this.missed = number('missed');
    this.skipped = number('skipped');
    this.triggered = number('triggered');
    this.ttl = optional('ttl', Number);
    this.ttlDead = number('dead') === 1;
    this.priority = optional('priority', Number);
    this.group = optional('group', textOf);
    const headers = optional('headers', pairsOf) ?? [];
    this.rawHeaders = headers.map(([name, value]) => [bytesOf(name), bytesOf(value)] as const);
    this.headers = textHeaders(this.rawHeaders);
  }
}

export function scheduleWords(options: ScheduleOptions): Word[] {
  return [
    ...option('EVERY', options.every),
    ...option('CRON', options.cron),
    ...option('TZ', options.zone),
    ...option('START', options.start),
    ...option('END', options.end),
    ...option('LIMIT', options.limit),
    ...option('JITTER', options.jitter),
    ...option('CATCHUP', options.catchup),
    ...option('OVERLAP', options.overlap),
    ...option('PAUSED', options.paused === undefined ? undefined : Number(options.paused)),
    ...option('TTL', options.ttl),
    ...flag('DEAD', options.ttlDead),
    ...option('PRIORITY', options.priority),
    ...option('GROUP', options.group),
    ...headerWords(options.headers),
  ];
}
