// The fake and the server answer the same, to calls by chance. Time plays no part here: fake.test.ts has what depends on it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient } from 'redis';
import { Client, Message, MqError, type Delivery } from 'redis-mq';
import { FakeRedis } from 'redis-mq/testing';
import { startServer, type TestServer } from './server.js';

const HOUR = 3_600_000;
const RUNS = 8;
const CALLS = 120;
const TIMES = [
  'nextDueAt', 'rateWindowStart', 'oldestReadyAgeMs', 'oldestInflightAgeMs', 'oldestDelayedAgeMs', 'deliveryTimes', 'processingTimes',
];
const UNKNOWN = '01a2074d-d0e3-7207-9d96-f8bd257a1084';

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

/** The queues of a run: one, its dead-letter queue, and another. The server's counters would outlive them. */
interface Queues {
  orders: string;
  dead: string;
  mails: string;
}

/** Numbers that are the same in each run with the same seed. */
function chance(seed: number): (most: number) => number {
  let state = seed + 1;
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

/** One of the two, and what it gave its messages: both have their own ids and receipts. */
class Side {
  /** By payload. */
  readonly ids = new Map<string, string>();
  readonly deliveries: Delivery[] = [];

  constructor(
    readonly client: Client,
    readonly queues: Queues,
  ) {}

  delivery(index: number): Delivery {
    return this.deliveries[index % this.deliveries.length] ?? { queue: this.queues.orders, id: UNKNOWN, receipt: '0000000000000000' };
  }

  id(payload: string): string {
    return this.ids.get(payload) ?? UNKNOWN;
  }

  /** A result without what only this side has. */
  comparable(value: unknown): unknown {
    if (value instanceof Message) {
      if (value.receipt) this.deliveries.push(value);
      const { id: _, receipt, timestamp, visibilityUntil, dueAt, expiresAt, firstDeliveredAt, deadAt, ...others } = value;
      const moments = { receipt, timestamp, visibilityUntil, dueAt, expiresAt, firstDeliveredAt, deadAt };
      return { ...others, has: Object.entries(moments).filter(([, moment]) => moment !== undefined).map(([name]) => name) };
    }
    if (value instanceof Date) return 'a moment';
    if (Array.isArray(value)) return value.map((one) => this.comparable(one));
    for (const [payload, id] of this.ids) if (id === value) return `the id of ${payload}`;
    return value;
  }
}

type Act = (side: Side) => Promise<unknown>;

function pushed(payload: string, push: Act): Act {
  return async (side) => {
    const id = (await push(side)) as string;
    if (![...side.ids.values()].includes(id)) side.ids.set(payload, id);
    return id;
  };
}

/** A call by chance. All choices are made here, so that both sides are called alike. */
function callBy(pick: (most: number) => number, number: number, { orders, dead, mails }: Queues): Act {
  const one = <T>(...choices: T[]): T => choices[pick(choices.length)]!;
  const [queue, target] = [one(orders, mails, dead), one(orders, mails)];
  const [payload, known] = [`${number}`, `${pick(number + 1)}`];
  const [index, count] = [pick(1_000), 1 + pick(3)];
  const [delay, soon] = [one(undefined, 0, HOUR), one(0, HOUR)];
  const order = one({}, {}, { priority: pick(10) }, { group: one('a', 'b') });
  const key = { dedup: one('x', 'y', 'z'), untilDone: one(true, undefined) };
  const consumer = one('first', 'second');
  const state = one('ready' as const, 'inflight' as const, 'delayed' as const, undefined);
  const purged = one('ready' as const, 'delayed' as const, undefined);
  const limit = one({ maxRetries: pick(3) - 1 }, { maxLen: pick(6) }, { maxInflight: pick(4) }, { rate: pick(5), ratePeriod: HOUR });
  const other = one({ groupInflight: 1 + pick(2) }, { maxDedup: pick(2) }, { maxInflight: null }, { maxLen: null }, { rate: null });
  return one<Act>(
    pushed(payload, ({ client }) => client.push(queue, payload, { delay, ...order })),
    pushed(payload, ({ client }) => client.push(queue, payload, { delay, ttl: HOUR, ttlDead: count === 1, ...key, ...order })),
    ({ client }) => client.pull(queue, { noAck: count === 1 }),
    ({ client }) => client.pullMany([orders, mails], count),
    ({ client }) => client.pullMany(queue, count, { consumer }),
    (side) => side.client.ack(side.delivery(index)),
    (side) => side.client.ackMany([side.delivery(index), side.delivery(index)]),
    (side) => side.client.nack(side.delivery(index), { delay, reason: `because ${number}` }),
    (side) => side.client.nack(side.delivery(index), { noCount: true }),
    (side) => side.client.nack(side.delivery(index), { noCount: true, front: true }),
    (side) => side.client.nackMany([side.delivery(index)], { dead: true, reason: 'rejected' }),
    (side) => side.client.extend(side.delivery(index), HOUR),
    (side) => side.client.extendMany([side.delivery(index)]),
    ({ client }) => client.extendConsumer(queue, consumer, HOUR),
    (side) => side.client.delete(queue, [side.id(known), side.id(known)]),
    (side) => side.client.get(queue, side.id(known)),
    ({ client }) => (index % 2 === 0 ? client.get(queue, { dedup: key.dedup }) : client.delete(queue, { dedup: key.dedup })),
    (side) => side.client.reschedule(queue, side.id(known), soon),
    ({ client }) => client.redrive(dead, { to: target, count }),
    ({ client }) => client.configure(queue, limit),
    ({ client }) => client.configure(queue, other),
    ({ client }) => (index % 3 === 0 ? client.pause(queue) : client.resume(queue)),
    ({ client }) => (index % 20 < 3 ? client.purge(queue, purged) : client.len(queue, state)),
  );
}

/** All that can be seen of the queues. */
async function sight(side: Side): Promise<unknown> {
  const seen = [];
  for (const queue of Object.values(side.queues)) {
    const info: Record<string, unknown> = { ...(await side.client.info(queue)) };
    for (const name of TIMES) delete info[name];
    const messages = [];
    for (const state of ['ready', 'inflight', 'delayed'] as const) messages.push(...(await side.client.peek(queue, { state, count: 1_000 })));
    messages.sort((a, b) => Number(a.text()) - Number(b.text()));
    seen.push({ info, messages: messages.map((message) => side.comparable(message)) });
  }
  return seen;
}

async function outcome(side: Side, act: Act): Promise<unknown> {
  try {
    return side.comparable(await act(side));
  } catch (error) {
    if (error instanceof MqError) return error.code;
    throw error;
  }
}

test('the fake and the server answer the same', async () => {
  const redis = await createClient({ url: server.url }).connect();
  try {
    for (let seed = 0; seed < RUNS; seed++) {
      const pick = chance(seed);
      const queues = { orders: `orders${seed}`, mails: `mails${seed}`, dead: `{orders${seed}}:dead` };
      const sides = [new Side(new Client(redis), queues), new Side(new Client(new FakeRedis()), queues)] as const;
      for (const { client } of sides) {
        for (const queue of Object.values(queues)) await client.configure(queue, { backoff: HOUR, backoffMax: HOUR });
      }
      const calls: string[] = [];
      for (let number = 0; number < CALLS; number++) {
        const act = callBy(pick, number, queues);
        const [real, fake] = [await outcome(sides[0], act), await outcome(sides[1], act)];
        calls.push(`${number}: ${act.toString()} ${JSON.stringify(real)}`);
        assert.deepEqual(fake, real, `run ${seed}:\n${calls.slice(-12).join('\n')}`);
        assert.deepEqual(await sight(sides[1]), await sight(sides[0]), `run ${seed}:\n${calls.slice(-12).join('\n')}`);
      }
    }
  } finally {
    redis.destroy();
  }
});
