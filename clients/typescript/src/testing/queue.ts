// A queue of the fake: the life of its messages, as docs/delivery.md has it. Knows neither commands nor clients.

import type { State } from '../message.js';
import { groupOf, newId, priorityOf, type Death, type Stored } from './stored.js';

/** What a queue needs of the server around it. */
export interface Surroundings {
  readonly now: number;
  queue(name: string): Queue;
  nextReceipt(): string;
  /** A moment of now, behind all that were given before: the clock stands still, so that more than time orders the messages. */
  nextPlace(): number;
}

export interface Pushed {
  payload: Buffer;
  headers: [Buffer, Buffer][];
  priority: number;
  group: string | undefined;
  /** When it becomes ready. */
  due: number;
  ttl: number;
  diesOfTtl: boolean;
}

/** The settings that are numbers, by the server's names. */
export const DEFAULTS = {
  visibility: 30_000,
  maxretries: 25,
  backoff: 1_000,
  backoffmax: 3_600_000,
  delay: 0,
  ttl: 0,
  maxlen: 0,
  maxinflight: 0,
  rate: 0,
  rateperiod: 1_000,
  aging: 0,
  groupinflight: 1,
  dedupwindow: 300_000,
  maxdedup: 0,
  expires: 0,
};

const COUNTERS = [
  'pushed', 'pulled', 'acked', 'late_acks', 'nacked', 'expired', 'dead', 'dead_discarded', 'bad_receipts', 'ttl_expired', 'deduplicated',
  'redriven', 'refused_full', 'deleted', 'ticks', 'ticks_missed', 'ticks_skipped',
] as const;

/** How MQ.ACK and the like answer for one pair. */
export type Answer = 1 | 0 | -1;

/** How MQ.NACK gives a message back. */
export interface GivingBack {
  delay: number | undefined;
  counts: boolean;
  place: 'behind' | 'original';
  isDead: boolean;
  reason: string | undefined;
}

export class Queue {
  readonly name: string;
  readonly settings: Partial<typeof DEFAULTS> & { deadletter?: string } = {};
  readonly counters = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<(typeof COUNTERS)[number], number>;
  /** When its pause ends; undefined: it is not paused. */
  pausedUntil: number | undefined;
  readonly #server: Surroundings;
  readonly #messages = new Map<string, Stored>();
  readonly #keys = new Map<string, { id: string; until: number | 'done' }>();
  /** The groups that can deliver something, in the order of their turns. '' stands for all messages without a group, if there are groups. */
  #turns: string[] = [];
  #hasHadGroups = false;
  #places = 0;
  #window = { start: 0, count: 0 };
  #usedAt: number;

  constructor(name: string, server: Surroundings) {
    this.name = name;
    this.#server = server;
    this.#usedAt = server.now;
  }

  get deadLetter(): string {
    return this.settings.deadletter ?? `${/\{[^}]+\}/.test(this.name) ? this.name : `{${this.name}}`}:dead`;
  }

  get isStored(): boolean {
    return this.#messages.size > 0 || this.#keys.size > 0 || Object.keys(this.settings).length > 0 || this.pausedUntil !== undefined;
  }

  /** Whether nobody has used it for as long as it may be unused. */
  get isUnused(): boolean {
    const expires = this.setting('expires');
    return expires > 0 && this.#usedAt + expires <= this.#server.now;
  }

  /** Somebody pushes, pulls or waits. */
  use(): void {
    this.#usedAt = this.#server.now;
  }

  get heldKeys(): number {
    return this.#keys.size;
  }

  get window(): Readonly<{ start: number; count: number }> {
    return this.#window;
  }

  setting(name: keyof typeof DEFAULTS): number {
    return this.settings[name] ?? DEFAULTS[name];
  }

  find(id: string): Stored | undefined {
    return this.#messages.get(id);
  }

  len(state?: State): number {
    return state ? this.#in(state).length : this.#messages.size;
  }

  /** Messages in a state, in the order in which MQ.PEEK shows them. */
  list(state: State): Stored[] {
    const messages = this.#in(state);
    if (state !== 'ready') return messages.sort((a, b) => a.due - b.due);
    return messages.sort((a, b) => (groupOf(a) === '' ? 0 : 1) - (groupOf(b) === '' ? 0 : 1) || byOrder(a, b));
  }

  push(pushed: Pushed): Stored {
    const { now } = this.#server;
    const { payload, headers, priority, group, due, ttl, diesOfTtl } = pushed;
    const message: Stored = {
      payload,
      headers,
      priority,
      group,
      id: newId(now),
      timestamp: now,
      state: 'delayed',
      since: now,
      origin: this.#server.nextPlace(),
      place: 0,
      due,
      expiresAt: ttl > 0 ? now + ttl : undefined,
      diesOfTtl,
      retryCount: 0,
      wasDelivered: false,
      receipt: undefined,
      wasCounted: false,
      consumer: undefined,
      deliveries: 0,
      firstDeliveredAt: 0,
      lastError: undefined,
      death: undefined,
    };
    this.#messages.set(message.id, message);
    this.counters.pushed += 1;
    if (due <= now) this.#makeReady(message, message.origin);
    return message;
  }

  /** The message that holds a deduplication key. */
  holderOf(key: string): string | undefined {
    return this.#keys.get(key)?.id;
  }

  hold(key: string, id: string, until: number | 'done'): void {
    this.#keys.set(key, { id, until });
  }

  /** Takes the next message: in flight until `visibility` is over, or gone. */
  deliver(visibility: number | 'gone', consumer: string | undefined): Stored | undefined {
    const { now } = this.#server;
    const message = this.#next();
    if (!message) return undefined;
    if (this.setting('rate') > 0) {
      if (now >= this.#window.start + this.setting('rateperiod')) this.#window = { start: now, count: 0 };
      this.#window.count += 1;
    }
    this.counters.pulled += 1;
    message.deliveries += 1;
    if (message.deliveries === 1) message.firstDeliveredAt = now;
    if (visibility === 'gone') {
      this.#remove(message);
    } else {
      Object.assign(message, { state: 'inflight', due: now + visibility, consumer, wasDelivered: true, receipt: this.#server.nextReceipt() });
    }
    this.#passTurn(groupOf(message));
    return message;
  }

  acknowledge(id: string, receipt: string): Answer {
    const { message, answer } = this.#delivered(id, receipt);
    if (!message) return answer;
    this.counters.acked += 1;
    if (message.state !== 'inflight') this.counters.late_acks += 1;
    this.#remove(message);
    return 1;
  }

  /** When the visibility ends now, or why it was refused. Without a visibility, none is shortened. */
  extend(id: string, receipt: string, visibility: number | undefined): number {
    const { message, answer } = this.#delivered(id, receipt);
    if (!message) return answer;
    const { now } = this.#server;
    if (message.state !== 'inflight') {
      if (message.wasCounted) message.retryCount -= 1;
      Object.assign(message, { state: 'inflight', due: 0, consumer: undefined });
    }
    message.due = visibility === undefined ? Math.max(now + this.setting('visibility'), message.due) : now + visibility;
    return message.due;
  }

  /** Extends all that is in flight under this name, and returns how many. */
  extendConsumer(consumer: string, visibility: number | undefined): number {
    const held = this.#in('inflight').filter((message) => message.consumer === consumer);
    for (const { id, receipt } of held) this.extend(id, receipt!, visibility);
    return held.length;
  }

  giveBack(id: string, receipt: string, how: GivingBack): Answer {
    const { message, answer } = this.#delivered(id, receipt, 'current');
    if (!message) return answer;
    this.counters.nacked += 1;
    message.receipt = undefined;
    message.lastError = how.reason ?? message.lastError;
    if (how.isDead) this.#die(message, 'rejected');
    else this.#return(message, how.counts, how.delay ?? (how.counts ? this.#backoff(message) : 0), how.place);
    return 1;
  }

  delete(id: string): boolean {
    const message = this.#messages.get(id);
    if (message) this.#remove(message);
    if (message) this.counters.deleted += 1;
    return message !== undefined;
  }

  purge(): number {
    const count = this.#messages.size;
    this.#messages.clear();
    this.#keys.clear();
    this.#turns = [];
    this.counters.deleted += count;
    return count;
  }

  purgeOnly(state: State): number {
    return this.#in(state).filter(({ id }) => this.delete(id)).length;
  }

  reschedule(id: string, due: number): boolean {
    const message = this.#messages.get(id);
    if (message?.state !== 'delayed') return false;
    message.due = due;
    if (due <= this.#server.now) this.#makeReady(message, this.#server.nextPlace());
    return true;
  }

  /** Moves a ready message to another queue, as one that was never delivered there. */
  redrive(message: Stored, target: Queue): void {
    this.#remove(message);
    this.counters.redriven += 1;
    target.#receive(message, this.#server.nextPlace(), { death: undefined, expiresAt: message.death ? undefined : message.expiresAt });
  }

  /** Whether messages are ready, but none is delivered now. */
  get isBlocked(): boolean {
    const { now } = this.#server;
    const [maxInflight, rate] = [this.setting('maxinflight'), this.setting('rate')];
    const isInWindow = now < this.#window.start + this.setting('rateperiod');
    return (
      this.pausedUntil !== undefined ||
      (maxInflight > 0 && this.len('inflight') >= maxInflight) ||
      (rate > 0 && isInWindow && this.#window.count >= rate)
    );
  }

  /** Does all that is due by now. */
  tick(): void {
    const { now } = this.#server;
    if (this.pausedUntil !== undefined && this.pausedUntil <= now) this.pausedUntil = undefined;
    for (const [key, { until }] of this.#keys) if (until !== 'done' && until <= now) this.#keys.delete(key);
    const all = this.#due(now);
    for (const message of all.filter(({ state, expiresAt }) => state !== 'inflight' && isOver(expiresAt, now))) this.#expire(message);
    const left = all.filter(({ id, state, due }) => state !== 'ready' && due <= now && this.#messages.has(id)).sort((a, b) => a.due - b.due);
    for (const message of left.filter(({ state }) => state === 'inflight')) {
      this.counters.expired += 1;
      this.#return(message, true, 0, 'original');
    }
    for (const message of left.filter(({ state }) => state === 'delayed')) this.#makeReady(message, message.due);
  }

  /** The messages for which something is due. */
  #due(now: number): Stored[] {
    const due: Stored[] = [];
    for (const message of this.#messages.values()) {
      if (isOver(message.expiresAt, now) || (message.state !== 'ready' && message.due <= now)) due.push(message);
    }
    return due;
  }

  #in(state: State): Stored[] {
    return [...this.#messages.values()].filter((message) => message.state === state);
  }

  #delivered(id: string, receipt: string, which: 'last' | 'current' = 'last'): { message: Stored | undefined; answer: 0 | -1 } {
    const message = this.#messages.get(id);
    if (!message?.wasDelivered) return { message: undefined, answer: 0 };
    if (message.receipt === receipt && (which === 'last' || message.state === 'inflight')) return { message, answer: -1 };
    this.counters.bad_receipts += 1;
    return { message: undefined, answer: -1 };
  }

  #next(): Stored | undefined {
    if (this.isBlocked) return undefined;
    this.#updateTurns();
    const candidates = this.#candidates();
    if (this.#turns.length > 0 && candidates.has('') && !this.#turns.includes('')) this.#turns.push('');
    while (this.#turns[0] !== undefined && !candidates.has(this.#turns[0])) this.#turns.shift();
    return candidates.get(this.#turns[0] ?? '');
  }

  #passTurn(group: string): void {
    this.#turns = this.#turns.filter((turn) => turn !== group);
    if (group === '' && this.#turns.length > 0) this.#turns.push('');
    this.#updateTurns();
  }

  /** What each group would deliver. */
  #candidates(): Map<string, Stored> {
    const candidates = new Map<string, Stored>();
    const taken = new Map<string, number>();
    let oldest: Stored | undefined;
    for (const message of this.#messages.values()) {
      const group = groupOf(message);
      if (message.state === 'ready') {
        const first = candidates.get(group);
        if (!first || byOrder(message, first) < 0) candidates.set(group, message);
        if (group === '' && (!oldest || message.since < oldest.since)) oldest = message;
      } else if (message.state === 'inflight' || message.wasDelivered) {
        taken.set(group, (taken.get(group) ?? 0) + 1);
      }
    }
    for (const [group, count] of taken) if (group !== '' && count >= this.setting('groupinflight')) candidates.delete(group);
    const aging = this.setting('aging');
    if (oldest && aging > 0 && this.#server.now - oldest.since > aging) candidates.set('', oldest);
    return candidates;
  }

  #updateTurns(): void {
    if (!this.#hasHadGroups) return;
    const groups = [...this.#candidates().keys()].filter((group) => group !== '');
    const areWaiting = this.#in('ready').some((message) => groupOf(message) !== '');
    const turns = this.#turns.filter((turn) => (turn === '' ? areWaiting : groups.includes(turn)));
    this.#turns = [...turns, ...groups.filter((group) => !turns.includes(group))];
  }

  #makeReady(message: Stored, since: number): void {
    this.#hasHadGroups ||= groupOf(message) !== '';
    if (!message.wasDelivered) message.place = ++this.#places; // what returns is before those that were behind it
    message.state = 'ready';
    message.since = since;
    this.#updateTurns();
  }

  #backoff(message: Stored): number {
    return Math.min(this.setting('backoff') * 2 ** message.retryCount, this.setting('backoffmax'));
  }

  #return(message: Stored, counts: boolean, delay: number, place: GivingBack['place']): void {
    const { now } = this.#server;
    if (isOver(message.expiresAt, now)) return this.#expire(message);
    const retries = this.setting('maxretries');
    if (counts && retries >= 0 && message.retryCount + 1 > retries && !message.death) return this.#die(message, 'retries');
    if (counts) message.retryCount += 1;
    message.wasCounted = counts;
    if (delay > 0) {
      message.state = 'delayed';
      message.due = now + delay;
      return this.#updateTurns();
    }
    this.#makeReady(message, place === 'behind' ? this.#server.nextPlace() : (message.death?.place ?? message.origin));
  }

  #die(message: Stored, reason: Death['reason']): void {
    const { now } = this.#server;
    this.#remove(message);
    this.counters.dead += 1;
    const grave = this.#server.queue(this.deadLetter);
    const most = grave.setting('maxlen');
    const oldest = grave.list('ready').filter(({ death }) => death).sort((a, b) => a.since - b.since)[0];
    if (most > 0 && grave.len() >= most && oldest) {
      grave.#remove(oldest);
      this.counters.dead_discarded += 1;
    }
    const ttl = grave.setting('ttl');
    const place = this.#server.nextPlace();
    grave.#receive(message, place, {
      death: { from: this.name, at: now, reason, retries: message.retryCount, place },
      expiresAt: ttl > 0 ? now + ttl : undefined,
    });
  }

  #receive(message: Stored, place: number, changes: Pick<Stored, 'death' | 'expiresAt'>): void {
    Object.assign(message, changes, { retryCount: 0, wasDelivered: false, receipt: undefined, wasCounted: false });
    this.#messages.set(message.id, message);
    this.#makeReady(message, place);
  }

  /** Its time to live is over. */
  #expire(message: Stored): void {
    if (message.diesOfTtl && !message.death) return this.#die(message, 'expired');
    this.counters.ttl_expired += 1;
    this.#remove(message);
  }

  #remove(message: Stored): void {
    this.#messages.delete(message.id);
    for (const [key, { id, until }] of this.#keys) if (id === message.id && until === 'done') this.#keys.delete(key);
    this.#updateTurns();
  }
}

function isOver(moment: number | undefined, now: number): boolean {
  return moment !== undefined && moment <= now;
}

/** Of messages without a group: by priority, then by the time since which they are ready. Of a group: by their place. */
function byOrder(a: Stored, b: Stored): number {
  if (groupOf(a) !== '' || groupOf(b) !== '') return a.place - b.place;
  return priorityOf(b) - priorityOf(a) || a.since - b.since || (a.id < b.id ? -1 : 1);
}
