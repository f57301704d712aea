// MQ.PULL and MQ.MPULL of the fake: what can be tried again until something can be delivered.

import type { Reply } from '../connection.js';
import { flag, integer, nameOf, YEAR_MS, type Arguments, type Options } from './arguments.js';
import type { Surroundings } from './queue.js';
import { shown } from './stored.js';

const OPTIONS = {
  COUNT: integer(1, 10_000),
  VISIBILITY: integer(1, YEAR_MS),
  BLOCK: integer(0, YEAR_MS),
  CONSUMER: nameOf,
  ONDISCONNECT: flag,
  NOCOUNT: flag,
  GRACE: integer(0, YEAR_MS),
  NOACK: flag,
};
const ACK = { ACK: (words: Arguments) => words.list<[string, string]>(10_000, () => [words.text(), words.text()]) };
const NESTED: [keyof typeof OPTIONS, keyof typeof OPTIONS][] = [['NOCOUNT', 'ONDISCONNECT'], ['GRACE', 'ONDISCONNECT']];
const EXCLUSIVE: (keyof typeof OPTIONS)[][] = [['NOACK', 'VISIBILITY'], ['NOACK', 'CONSUMER'], ['NOACK', 'ONDISCONNECT']];

export interface Pull {
  readonly queues: readonly string[];
  /** How long it waits, in milliseconds; 0: for ever; undefined: not at all. */
  block: number | undefined;
  /** Takes the messages that can be delivered now. */
  take(): Reply[];
  /** The reply with these messages. */
  reply(messages: Reply[]): Reply;
}

/** Reads the arguments of a pull, and acknowledges. */
export function pullOf(command: 'MQ.PULL' | 'MQ.MPULL', words: Arguments, server: Surroundings): Pull {
  const isOne = command === 'MQ.PULL';
  const names = isOne ? [words.queue()] : words.list(1_024, () => words.queue());
  const options: Options<typeof OPTIONS & typeof ACK> = words.options(isOne ? { ...OPTIONS, ...ACK } : OPTIONS, EXCLUSIVE, NESTED);
  const acknowledged = options.ACK?.map(([id, receipt]) => server.queue(names[0]!).acknowledge(id, receipt));
  const count = options.COUNT ?? 1;
  return {
    queues: names,
    block: options.BLOCK,
    take: () => {
      const queues = names.map((name) => server.queue(name));
      for (const queue of queues) queue.use();
      for (const queue of queues) {
        const messages: Reply[] = [];
        const visibility = options.NOACK ? 'gone' : (options.VISIBILITY ?? queue.setting('visibility'));
        while (messages.length < count) {
          const message = queue.deliver(visibility, options.CONSUMER);
          if (!message) break;
          messages.push(shown(message, queue.name, 'delivery'));
        }
        if (messages.length > 0) return messages;
      }
      return [];
    },
    reply: (messages) => {
      const reply = options.COUNT === undefined ? (messages[0] ?? null) : messages;
      return acknowledged ? [acknowledged, reply] : reply;
    },
  };
}
