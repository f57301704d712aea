// The commands of the fake: their arguments and replies.

import type { Reply } from '../connection.js';
import { Arguments, flag, integer, LARGEST, LATEST_MS, nameOf, YEAR_MS, type Options } from './arguments.js';
import { DEFAULTS, type Queue, type Pushed, type Surroundings } from './queue.js';
import { groupOf, priorityOf, shown } from './stored.js';

/** What the commands need of the server around them. */
export interface Server extends Surroundings {
  names(): string[];
  drop(name: string): void;
  blockedClients(queue: string): number;
}

type Command = (words: Arguments, server: Server) => Reply;

const PUSH = {
  DELAY: integer(0, YEAR_MS),
  AT: integer(0, LATEST_MS),
  TTL: integer(0, YEAR_MS),
  DEAD: flag,
  PRIORITY: integer(0, 9),
  GROUP: nameOf,
  HEADERS: (words: Arguments) => words.list<[Buffer, Buffer]>(64, () => [words.bytes(), words.bytes()]),
};
const PUSH_ONE = { ...PUSH, DEDUP: nameOf, WINDOW: integer(1, YEAR_MS), UNTILDONE: flag };
const NACK = { DELAY: integer(0, YEAR_MS), NOCOUNT: flag, FRONT: flag, DEAD: flag, REASON: reasonOf };
const STATES = { READY: flag, INFLIGHT: flag, DELAYED: flag, DEAD: flag };
const ONE_STATE: (keyof typeof STATES)[] = ['READY', 'INFLIGHT', 'DELAYED', 'DEAD'];
const PEEK = { ...STATES, OFFSET: integer(0, LARGEST), COUNT: integer(1, 1_000) };
const WHEN = { DELAY: integer(0, YEAR_MS), AT: integer(0, LATEST_MS) };

// The ranges of the settings, where they do not go from 0 to the largest number.
const LEAST: Record<string, number> = { visibility: 1, maxretries: -1, backoffmax: 1, rateperiod: 1, groupinflight: 1, dedupwindow: 1 };
const COUNTS = { maxretries: LARGEST, maxlen: LARGEST, maxinflight: LARGEST, rate: LARGEST, maxdedup: LARGEST };
const MOST: Record<string, number> = { ...COUNTS, groupinflight: 10_000 };

// The fake counts no times.
const NO_TIMES: Reply = ['count', 0, 'sum_ms', 0, 'buckets', []];

export const COMMANDS: Record<string, Command> = {
  'MQ.PUSH': (words, server) => {
    const [queue, payload] = [server.queue(words.queue()), words.bytes()];
    const options = words.options(
      PUSH_ONE,
      [['DELAY', 'AT'], ['PRIORITY', 'GROUP'], ['WINDOW', 'UNTILDONE']],
      [['DEAD', 'TTL'], ['WINDOW', 'DEDUP'], ['UNTILDONE', 'DEDUP']],
    );
    const { DEDUP: key, WINDOW: window, UNTILDONE: untilDone } = options;
    queue.use();
    const holder = key === undefined ? undefined : queue.holderOf(key);
    if (holder !== undefined) {
      queue.counters.deduplicated += 1;
      return holder;
    }
    makeRoom(queue, 1);
    if (key !== undefined && isFull(queue.heldKeys + 1, queue.setting('maxdedup'))) throw refused(queue, 1, 'DEDUPFULL');
    const { id } = queue.push(pushed(queue, payload, options, server.now));
    if (key !== undefined) queue.hold(key, id, untilDone ? 'done' : server.now + (window ?? queue.setting('dedupwindow')));
    return id;
  },
  'MQ.MPUSH': (words, server) => {
    const queue = server.queue(words.queue());
    const payloads = words.list(10_000, () => words.bytes());
    const options = words.options(PUSH, [['DELAY', 'AT'], ['PRIORITY', 'GROUP']], [['DEAD', 'TTL']]);
    queue.use();
    makeRoom(queue, payloads.length);
    return payloads.map((payload) => queue.push(pushed(queue, payload, options, server.now)).id);
  },
  'MQ.ACK': (words, server) => {
    const queue = server.queue(words.queue());
    const { isBatch, pairs } = words.pairs();
    words.options({});
    return answered(isBatch, pairs.map(([id, receipt]) => queue.acknowledge(id, receipt)));
  },
  'MQ.NACK': (words, server) => {
    const queue = server.queue(words.queue());
    const { isBatch, pairs } = words.pairs();
    const options = words.options(NACK, [['NOCOUNT', 'DEAD'], ['FRONT', 'DELAY']], [['FRONT', 'NOCOUNT']]);
    const isDead = options.DEAD ?? false;
    const isHeldDead = ([id, receipt]: [string, string]): boolean => {
      const message = queue.find(id);
      return message?.state === 'inflight' && message.receipt === receipt && message.death !== undefined;
    };
    if (isDead && pairs.some(isHeldDead)) throw new Error("ERR a dead letter can't be sent to the dead-letter queue");
    const place = options.FRONT ? ('original' as const) : ('behind' as const);
    const how = { delay: options.DELAY, counts: !options.NOCOUNT, place, isDead, reason: options.REASON };
    return answered(isBatch, pairs.map(([id, receipt]) => queue.giveBack(id, receipt, how)));
  },
  'MQ.EXTEND': (words, server) => {
    const queue = server.queue(words.queue());
    const shape = { VISIBILITY: integer(1, YEAR_MS) };
    if (words.accept('CONSUMER')) {
      const consumer = nameOf(words);
      return queue.extendConsumer(consumer, words.options(shape).VISIBILITY);
    }
    const { isBatch, pairs } = words.pairs();
    const { VISIBILITY } = words.options(shape);
    return answered(isBatch, pairs.map(([id, receipt]) => queue.extend(id, receipt, VISIBILITY)));
  },
  'MQ.PEEK': (words, server) => {
    const queue = server.queue(words.queue());
    const options = words.options(PEEK, [ONE_STATE]);
    const { OFFSET: offset = 0, COUNT: count = 10 } = options;
    const [source, state] = stateOf(queue, options, server);
    return source.list(state ?? 'ready').slice(offset, offset + count).map((message) => shown(message, source.name, 'record'));
  },
  'MQ.GET': (words, server) => {
    const queue = server.queue(words.queue());
    const id = words.accept('DEDUP') ? queue.holderOf(nameOf(words)) : words.text();
    const message = queue.find(id ?? '');
    return message ? shown(message, queue.name, 'record') : null;
  },
  'MQ.DEL': (words, server) => {
    const queue = server.queue(words.queue());
    const ids = words.accept('DEDUP') ? [queue.holderOf(nameOf(words)) ?? ''] : words.rest();
    return ids.filter((id) => queue.delete(id)).length;
  },
  'MQ.RESCHEDULE': (words, server) => {
    const [queue, id] = [server.queue(words.queue()), words.text()];
    const { DELAY, AT } = words.options(WHEN, [['DELAY', 'AT']]);
    if (DELAY === undefined && AT === undefined) throw new Error('ERR DELAY or AT is missing');
    return Number(queue.reschedule(id, AT ?? server.now + (DELAY ?? 0)));
  },
  'MQ.LEN': (words, server) => {
    const queue = server.queue(words.queue());
    const [source, state] = stateOf(queue, words.options(STATES, [ONE_STATE]), server);
    return source.len(state);
  },
  'MQ.INFO': (words, server) => info(server.queue(words.queue()), server),
  'MQ.QUEUES': (words, server) => listed(words, server),
  'MQ.STATS': (words, server) => listed(words, server).map((queue) => ['queue', queue, ...info(server.queue(queue), server)]),
  'MQ.CONFIG': (words, server) => {
    const queue = server.queue(words.queue());
    const settings = words.options({
      ...Object.fromEntries(Object.keys(DEFAULTS).map((setting) => [setting.toUpperCase(), settingReader(setting)])),
      DEADLETTER: (rest: Arguments) => rest.queue(),
      DEFAULTDEADLETTER: flag,
    });
    if (Object.keys(settings).length === 0) return settingsOf(queue);
    return configure(queue, settings);
  },
  'MQ.PAUSE': (words, server) => {
    const queue = server.queue(words.queue());
    const { FOR = Infinity } = words.options({ FOR: integer(1, YEAR_MS) });
    queue.pausedUntil = server.now + FOR;
    return 'OK';
  },
  'MQ.RESUME': (words, server) => {
    server.queue(words.queue()).pausedUntil = undefined;
    return 'OK';
  },
  'MQ.PURGE': (words, server) => {
    const queue = server.queue(words.queue());
    const { READY, DELAYED } = words.options({ READY: flag, DELAYED: flag }, [['READY', 'DELAYED']]);
    return READY ? queue.purgeOnly('ready') : DELAYED ? queue.purgeOnly('delayed') : queue.purge();
  },
  'MQ.DROP': (words, server) => {
    const { name, isStored } = server.queue(words.queue());
    server.drop(name);
    return Number(isStored);
  },
  'MQ.REDRIVE': (words, server) => redrive(words, server),
};

function pushed(queue: Queue, payload: Buffer, options: Options<typeof PUSH>, now: number): Pushed {
  return {
    payload,
    headers: options.HEADERS ?? [],
    priority: options.PRIORITY ?? 0,
    group: options.GROUP,
    due: options.AT ?? now + (options.DELAY ?? queue.setting('delay')),
    ttl: options.TTL ?? queue.setting('ttl'),
    diesOfTtl: options.DEAD ?? false,
  };
}

/** Its first 1,024 bytes, up to a whole character. */
function reasonOf(words: Arguments): string {
  return new TextDecoder().decode(words.bytes().subarray(0, 1_024), { stream: true });
}

function isFull(count: number, most: number): boolean {
  return most > 0 && count > most;
}

function makeRoom(queue: Queue, count: number): void {
  if (isFull(queue.len() + count, queue.setting('maxlen'))) throw refused(queue, count, 'QUEUEFULL');
}

function refused(queue: Queue, count: number, code: string): Error {
  queue.counters.refused_full += count;
  return new Error(`${code} the queue is full`);
}

function answered(isBatch: boolean, answers: number[]): Reply {
  if (isBatch) return answers;
  const [answer = 0] = answers;
  if (answer === 0) throw new Error('NOTFOUND no message with this id is in flight or waiting for its retry');
  if (answer === -1) throw new Error('BADRECEIPT the receipt is not valid for this message');
  return answer;
}

function stateOf(queue: Queue, states: Options<typeof STATES>, server: Server) {
  if (states.DEAD) return [server.queue(queue.deadLetter), undefined] as const;
  const state = states.READY ? 'ready' : states.INFLIGHT ? 'inflight' : states.DELAYED ? 'delayed' : undefined;
  return [queue, state] as const;
}

function settingReader(setting: string) {
  return (words: Arguments): number | null => words.integerOrNone(LEAST[setting] ?? 0, MOST[setting] ?? YEAR_MS);
}

function configure(queue: Queue, settings: Record<string, unknown>): Reply {
  const { DEADLETTER, DEFAULTDEADLETTER, ...numbers } = settings;
  if (DEADLETTER === queue.name) throw new Error("ERR a queue can't be its own dead-letter queue");
  const changed: Record<string, unknown> = { ...queue.settings };
  for (const [setting, value] of Object.entries(numbers)) changed[setting.toLowerCase()] = value;
  if (DEADLETTER !== undefined) changed['deadletter'] = DEADLETTER;
  if (DEFAULTDEADLETTER) delete changed['deadletter'];
  const { backoff = DEFAULTS.backoff, backoffmax = DEFAULTS.backoffmax } = changed as Partial<typeof DEFAULTS>;
  if (backoff > backoffmax) throw new Error(`ERR BACKOFF ${backoff} is above BACKOFFMAX ${backoffmax}`);
  for (const [setting, value] of Object.entries(changed)) {
    if (value === null || value === (DEFAULTS as Record<string, unknown>)[setting]) delete changed[setting];
  }
  if (changed['expires'] !== queue.settings.expires) queue.use();
  for (const setting of Object.keys(queue.settings)) delete queue.settings[setting as keyof Queue['settings']];
  Object.assign(queue.settings, changed);
  return 'OK';
}

function listed(words: Arguments, server: Server): string[] {
  const { MATCH = '*' } = words.options({ MATCH: (rest) => rest.text() });
  const pattern = new RegExp(`^${MATCH.replace(/[.+^${}()|\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
  return server.names().filter((queue) => pattern.test(queue)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function settingsOf(queue: Queue): Reply[] {
  const numbers = Object.keys(DEFAULTS).flatMap((setting): Reply[] => [setting, queue.setting(setting as keyof typeof DEFAULTS)]);
  return [...numbers, 'deadletter', queue.deadLetter];
}

function info(queue: Queue, server: Server): Reply[] {
  const ready = queue.list('ready');
  const [inflight, delayed] = [queue.list('inflight'), queue.list('delayed')];
  const { now } = server;
  const dues = [...inflight, ...delayed].map(({ due }) => due);
  const priorities = new Map<Reply, Reply>();
  for (const message of ready.filter((one) => groupOf(one) === '')) {
    priorities.set(priorityOf(message), Number(priorities.get(priorityOf(message)) ?? 0) + 1);
  }
  if (priorities.size === 1) priorities.delete(0); // told only beside others
  const all = [...ready, ...inflight, ...delayed];
  return Object.entries({
    exists: Number(queue.isStored),
    deadletter_waiting: server.queue(queue.deadLetter).len('ready'),
    ready: ready.length,
    inflight: inflight.length,
    delayed: delayed.length,
    priorities,
    groups: new Set(all.filter((one) => groupOf(one) !== '' && (one.state !== 'delayed' || one.wasDelivered)).map(groupOf)).size,
    dedup_keys: queue.heldKeys,
    paused: Number(queue.pausedUntil !== undefined),
    paused_until: Number.isFinite(queue.pausedUntil) ? queue.pausedUntil! : 0,
    rate_window_start: queue.window.start,
    rate_window_count: queue.window.count,
    oldest_ready_age_ms: Math.floor(now - Math.min(now, ...ready.map(({ since }) => since))),
    oldest_inflight_age_ms: 0,
    oldest_delayed_age_ms: delayed[0] ? now - delayed[0].timestamp : 0,
    next_due_at: dues.length > 0 ? Math.min(...dues) : 0,
    highest_retry_count: Math.max(0, ...all.map(({ retryCount }) => retryCount)),
    blocked_clients: server.blockedClients(queue.name),
    damaged: 0,
    schedules: 0,
    next_tick_at: 0,
    ...queue.counters,
    delivery_times: NO_TIMES,
    processing_times: NO_TIMES,
  }).reduce<Reply[]>((reply, [field, value]) => [...reply, field, value], settingsOf(queue));
}

function hasDead(queue: Queue): boolean {
  return queue.list('ready').some(({ death }) => death);
}

function redrive(words: Arguments, server: Server): Reply {
  const queue = server.queue(words.queue());
  const options = words.options(
    {
      COUNT: integer(1, 100_000),
      ALL: flag,
      IDS: (rest) => rest.list(10_000, () => rest.text()),
      FROM: (rest) => rest.queue(),
      REASON: reasonOf,
      TO: (rest) => rest.queue(),
    },
    [['COUNT', 'ALL', 'IDS']],
  );
  const { COUNT: count = 1_000, ALL, IDS: ids, FROM: from, REASON: reason, TO: to } = options;
  if (to === queue.name) throw new Error("ERR a queue can't be redriven to itself");
  if (!hasDead(queue) && hasDead(server.queue(queue.deadLetter))) {
    throw new Error(`ERR the queue's dead letters are in its dead-letter queue, redrive ${queue.deadLetter}`);
  }
  const takesLiving = to !== undefined && from === undefined && reason === undefined;
  const messages = queue
    .list('ready')
    .filter(({ death }) => (death ? from === undefined || death.from === from : takesLiving))
    .filter(({ death, lastError }) => reason === undefined || death?.reason === reason || lastError === reason)
    .filter(({ id }) => !ids || ids.includes(id))
    .sort((a, b) => (a.death?.place ?? Infinity) - (b.death?.place ?? Infinity) || 0) // the oldest death first, the living last
    .slice(0, ALL || ids ? Infinity : count);
  for (const message of messages) queue.redrive(message, server.queue(to ?? message.death!.from));
  return messages.length;
}
