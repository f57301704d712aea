// What a worker holds in advance, on the fake. What needs a real server is in the contract.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { Client, Worker, type Connection, type Handler, type Reply } from 'redis-mq';
import { FakeRedis } from 'redis-mq/testing';
import { eventually } from './server.js';

/** A fake whose commands of these names are not answered, beginning with the n-th, until the worker shuts down. */
function silent(fake: FakeRedis, name: string, first = 1): Connection {
  const answers: (() => void)[] = [];
  let count = 0;
  const send = async (words: (string | Buffer)[], own: Connection['send']): Promise<Reply> => {
    if (words[0] === 'CLIENT' && words[1] === 'UNBLOCK') answers.splice(0).forEach((answer) => answer());
    if (words[0] !== name || ++count < first) return own(words);
    return new Promise((_, reject) => answers.push(() => reject(new Error('no reply'))));
  };
  return {
    send: (words) => fake.send(words),
    open: async () => {
      const own = await fake.open();
      return { ...own, send: (words) => send(words, own.send) };
    },
  };
}

function worker(redis: Connection, handler: Handler, prefetch: number, visibility = 30_000): Worker {
  return new Worker(redis, 'orders', handler, { concurrency: 1, prefetch, visibility, log: () => {}, signals: [] });
}

test('a handler that ends starts the next message without a pull, in the order of the queue', async () => {
  const fake = new FakeRedis();
  await new Client(fake).pushMany('orders', ['a', 'b', 'c', 'd']);
  const seen: string[] = [];
  const handler: Handler = async (message) => {
    await sleep(5);
    seen.push(message.text());
  };
  const one = worker(silent(fake, 'MQ.PULL', 2), handler, 2);
  const running = one.run();
  await eventually('three are done', () => seen.length === 3);
  one.stop();
  await running;
  assert.deepEqual(seen, ['a', 'b', 'c']);
});

test('a shutdown gives held messages back while the handler runs on', async () => {
  const fake = new FakeRedis();
  const queue = new Client(fake);
  await queue.pushMany('orders', ['a', 'b', 'c']);
  const seen: string[] = [];
  const handler: Handler = async (message) => {
    seen.push(message.text());
    await eventually('the others are back', async () => (await queue.len('orders', 'ready')) === 2);
  };
  const one = worker(fake, handler, 5);
  const running = one.run();
  await eventually('all are in work or held', async () => (await queue.len('orders', 'inflight')) === 3);
  one.stop();
  await running;
  assert.deepEqual(seen, ['a']);
  assert.deepEqual((await queue.peek('orders')).map((message) => [message.text(), message.retryCount]), [['b', 0], ['c', 0]]);
});

test('a held message whose visibility has ended is never started', async () => {
  const fake = new FakeRedis();
  const queue = new Client(fake);
  await queue.pushMany('orders', ['a', 'b']);
  const seen: string[] = [];
  const handler: Handler = async (message) => {
    seen.push(message.text());
    if (message.text() === 'a') await sleep(400);
  };
  const one = worker(silent(fake, 'MQ.EXTEND'), handler, 1, 200);
  const running = one.run();
  await eventually('the first is in work', () => seen.length === 1);
  await sleep(300);
  await queue.push('orders', 'c');
  await eventually('the third was started', () => seen.length === 2);
  one.stop();
  await running;
  assert.deepEqual(seen, ['a', 'c']);
});
