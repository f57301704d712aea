// The worker's policy, on the fake. What needs a real server is in the contract.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { Client, Dead, Release, Retry, Worker, type Connection, type Handler, type LogEntry, type Reply, type WorkerOptions } from 'redis-mq';
import { FakeRedis } from 'redis-mq/testing';
import { eventually } from './server.js';

function scene() {
  const fake = new FakeRedis();
  const queue = new Client(fake);
  const entries: LogEntry[] = [];
  const texts = (): string[] => entries.map(({ text }) => text);
  const worker = (handler: Handler, options: WorkerOptions = {}, redis: Connection = fake): Worker =>
    new Worker(redis, 'orders', handler, { log: (entry) => entries.push(entry), signals: [], ...options });
  return { fake, queue, entries, texts, worker };
}

/** A connection that answers some commands by itself. */
function through(fake: FakeRedis, instead: (command: string) => Promise<Reply> | undefined): Connection {
  return {
    send: (words) => fake.send(words),
    open: async () => {
      const own = await fake.open();
      return { ...own, send: (words) => instead(words.join(' ')) ?? own.send(words) };
    },
  };
}

test('every outcome', async () => {
  const { queue, worker, entries } = scene();
  await queue.pushMany('orders', ['done', 'fail', 'text', 'object', 'retry', 'release', 'dead']);
  const handler: Handler = (message) => {
    if (message.retryCount > 0 || message.deliveries) return;
    if (message.text() === 'fail') throw new TypeError('no stock');
    if (message.text() === 'text') throw 'thrown text';
    if (message.text() === 'object') throw Object.create(null);
    if (message.text() === 'retry') throw new Retry(60_000, 'later');
    if (message.text() === 'release') throw new Release('not here');
    if (message.text() === 'dead') throw new Dead('no address');
  };
  await worker(handler).runUntilEmpty(0);
  const left = new Map((await queue.peek('orders', { state: 'delayed' })).map((message) => [message.text(), message]));
  assert.deepEqual([...left.keys()].sort(), ['fail', 'object', 'retry', 'text']);
  assert.equal(left.get('fail')?.lastError, 'TypeError: no stock');
  assert.equal(left.get('text')?.lastError, 'thrown text');
  assert.equal(left.get('retry')?.lastError, 'later');
  const [letter] = await queue.peek('orders', { state: 'dead' });
  assert.deepEqual([letter?.text(), letter?.lastError], ['dead', 'no address']);
  const failed = entries.find(({ text }) => text === 'failed');
  assert.deepEqual({ ...failed, id: '', error: '' }, { level: 'warn', text: 'failed', queue: 'orders', id: '', retryCount: 0, error: '' });
});

test('middleware is called around the handler, the outermost first', async () => {
  const { queue, worker } = scene();
  await queue.push('orders', 'a', { headers: { type: 'order' } });
  const calls: string[] = [];
  const around = (name: string) => async (message: { headers: Record<string, string> }, _: unknown, next: () => Promise<unknown>) => {
    calls.push(`${name} ${message.headers['type']}`);
    await next();
    calls.push(`${name} after`);
  };
  await worker(() => calls.push('handler'), { middleware: [around('outer'), around('inner')] }).runUntilEmpty();
  assert.deepEqual(calls, ['outer order', 'inner order', 'handler', 'inner after', 'outer after']);
});

test('a shutdown waits for handlers, cancels the slow ones, and gives their messages back uncounted', async () => {
  const { queue, worker } = scene();
  await queue.pushMany('orders', ['quick', 'slow', 'deaf']);
  const handler: Handler = async (message, { signal }) => {
    if (message.text() === 'quick') await sleep(50);
    if (message.text() === 'slow') await sleep(60_000, undefined, { signal });
    if (message.text() === 'deaf') await sleep(60_000, undefined, { ref: false });
  };
  const one = worker(handler, { grace: 1_000 });
  const running = one.run();
  await eventually('all are in work', async () => (await queue.len('orders', 'inflight')) === 3);
  one.stop();
  await running;
  const left = await queue.pullMany('orders', 10);
  assert.deepEqual(left.map((message) => [message.text(), message.retryCount]), [['slow', 0], ['deaf', 0]]);
});

test('what a shutdown gives back keeps its place', async () => {
  const { queue, worker } = scene();
  await queue.pushMany('orders', ['slow', 'backlog']);
  const one = worker((_, { signal }) => sleep(60_000, undefined, { signal }), { concurrency: 1, grace: 0 });
  const running = one.run();
  await eventually('it is in work', async () => (await queue.len('orders', 'inflight')) === 1);
  one.stop();
  await running;
  assert.deepEqual((await queue.peek('orders')).map((message) => message.text()), ['slow', 'backlog']);
});

test('a lost connection extends at once what is in work', async () => {
  const { fake, queue, worker } = scene();
  await queue.push('orders', 'a');
  let [isInWork, isLost, isExtended] = [false, false, false];
  const connection = through(fake, (command) => {
    isExtended ||= command.startsWith('MQ.EXTEND');
    if (!command.startsWith('MQ.PULL') || !isInWork || isLost) return undefined;
    isLost = true;
    return Promise.reject(new Error('Socket closed unexpectedly'));
  });
  const handler: Handler = async () => {
    isInWork = true;
    await eventually('it is extended', () => isExtended).catch(() => {});
  };
  await worker(handler, { visibility: 3_600_000, disconnectGrace: 3_000_000 }, connection).runUntilEmpty(0);
  assert.ok(isExtended);
});

test('a worker does not run twice at once, but again', async () => {
  const { worker } = scene();
  const one = worker(() => {});
  const running = one.run();
  await assert.rejects(one.run(), /already running/);
  one.stop();
  await running;
  await one.runUntilEmpty();
});

test('an acknowledgment whose answer was lost is repeated, and done', async () => {
  const { fake, queue, worker, texts } = scene();
  await queue.push('orders', 'a');
  let losses = 0;
  const connection = through(fake, (command) => {
    if (!/ ACK |MQ.ACK/.test(command) || losses++ > 1) return undefined;
    return fake.send(command.replace(/ BLOCK \d+/, '').split(' ')).then(() => Promise.reject(new Error('Socket closed unexpectedly')));
  });
  await worker(() => {}, {}, connection).runUntilEmpty();
  assert.ok(losses > 1);
  assert.deepEqual([...new Set(texts())], ['done', 'pulls again', 'stops']);
});

test('what does not pass by itself ends the worker', async () => {
  const { fake, queue, worker } = scene();
  await queue.push('orders', 'a');
  for (const command of ['MQ.PULL', 'MQ.NACK']) {
    const refusing = through(fake, (words) => (words.startsWith(command) ? Promise.reject(new Error('NOPERM no permissions')) : undefined));
    const fails: Handler = () => {
      throw new Error('no stock');
    };
    await assert.rejects(worker(fails, {}, refusing).run(), /NOPERM/);
  }
});

test('a damaged record does not end it', async () => {
  const { fake, queue, worker } = scene();
  await queue.push('orders', 'a');
  let isDamaged = true;
  const connection = through(fake, (words) => {
    if (!words.startsWith('MQ.PULL') || !isDamaged) return undefined;
    isDamaged = false;
    return Promise.reject(new Error('CORRUPT a record'));
  });
  const seen: string[] = [];
  await worker((message) => seen.push(message.text()), {}, connection).runUntilEmpty();
  assert.deepEqual(seen, ['a']);
});

test('a worker that may not ask for its CLIENT ID stops when its pull ends', async () => {
  const { fake, worker } = scene();
  const open = async () => ({ ...(await fake.open()), id: undefined });
  const one = worker(() => {}, { block: 100 }, { send: (words) => fake.send(words), open });
  const running = one.run();
  one.stop();
  await running;
});

test('a dead letter can not die again, and is given back', async () => {
  const { fake, queue } = scene();
  await queue.push('orders', 'a');
  const message = await queue.pull('orders');
  await queue.nack(message!, { dead: true });
  const dies: Handler = () => {
    throw new Dead('no address');
  };
  await new Worker(fake, '{orders}:dead', dies, { log: () => {} }).runUntilEmpty(0);
  assert.equal((await queue.peek('{orders}:dead', { state: 'delayed' }))[0]?.lastError, 'no address');
});

test('a message that was taken away cancels its handler', async () => {
  const { queue, worker, texts } = scene();
  const id = await queue.push('orders', 'a');
  let reason: unknown;
  const handler: Handler = (_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject((reason = signal.reason)));
      void queue.delete('orders', id);
    });
  await worker(handler, { visibility: 150 }).runUntilEmpty();
  assert.match(String(reason), /no longer held \(not_found\)/);
  assert.ok(!texts().includes('failed'));
  assert.equal((await queue.info('orders')).nacked, 0);
});

test('no more messages are in work than the concurrency allows', async () => {
  const { queue, worker } = scene();
  await queue.pushMany('orders', Array.from({ length: 20 }, (_, number) => `${number}`));
  let [running, most] = [0, 0];
  const handler: Handler = async () => {
    most = Math.max(most, ++running);
    await sleep(5);
    running -= 1;
  };
  await worker(handler, { concurrency: 3 }).runUntilEmpty();
  assert.equal(most, 3);
  assert.throws(() => worker(handler, { concurrency: 0 }), RangeError);
  assert.throws(() => worker(handler, { prefetch: -1 }), RangeError);
  assert.throws(() => worker(handler, { concurrency: 1, prefetch: 10_000 }), RangeError);
});
