// What depends on time in the fake, whose clock only moves when it is told to.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Client, InvalidArgumentError, QueueFullError, type Message } from 'redis-mq';
import { FakeRedis } from 'redis-mq/testing';

let fake: FakeRedis;
let queue: Client;
beforeEach(() => {
  fake = new FakeRedis();
  queue = new Client(fake);
});

const text = (message: Message | null): string | undefined => message?.text();
const pull = async (): Promise<string | undefined> => text(await queue.pull('orders'));

test('time stands still until it is advanced', async () => {
  const { now } = fake;
  await queue.push('orders', 'a', { delay: 1_000 });
  fake.advance(999);
  assert.equal(await pull(), undefined);
  fake.advance(1);
  assert.equal(await pull(), 'a');
  assert.equal(fake.now.getTime() - now.getTime(), 1_000);
});

test('pushes of one moment keep their order, also behind what was given back', async () => {
  await queue.pushMany('orders', ['a', 'b']);
  const a = await queue.pull('orders');
  await queue.nack(a!, { delay: 0 });
  await queue.push('orders', 'c');
  assert.deepEqual((await queue.pullMany('orders', 9)).map(text), ['b', 'a', 'c']);
});

test('the backoff doubles up to its limit, and a message dies after its retries', async () => {
  await queue.configure('orders', { backoff: 100, backoffMax: 150, maxRetries: 2 });
  await queue.push('orders', 'a');
  for (const pause of [100, 150]) {
    await queue.nack((await queue.pull('orders'))!);
    fake.advance(pause - 1);
    assert.equal(await pull(), undefined);
    fake.advance(1);
  }
  await queue.nack((await queue.pull('orders'))!);
  assert.equal((await queue.peek('orders', { state: 'dead' }))[0]?.deadReason, 'retries');
});

test('a long reason is cut at a whole character', async () => {
  await queue.push('orders', 'a');
  await queue.nack((await queue.pull('orders'))!, { delay: 0, reason: 'ä'.repeat(1_000) });
  assert.equal((await queue.pull('orders'))?.lastError, 'ä'.repeat(512));
});

test('a late extension takes the return back', async () => {
  await queue.push('orders', 'a');
  const message = await queue.pull('orders', { visibility: 100 });
  fake.advance(100);
  assert.equal((await queue.get('orders', message!.id))?.retryCount, 1);
  assert.deepEqual(await queue.extend(message!, 100), new Date(fake.now.getTime() + 100));
  assert.equal((await queue.get('orders', message!.id))?.retryCount, 0);
  await queue.ack(message!);
});

test('a message whose visibility ended goes back to its old place', async () => {
  await queue.pushMany('orders', ['a', 'b']);
  await queue.pull('orders', { visibility: 100 });
  fake.advance(100);
  assert.deepEqual([await pull(), await pull()], ['a', 'b']);
});

test('a rate limit lasts for its window', async () => {
  await queue.configure('orders', { rate: 2, ratePeriod: 1_000 });
  await queue.pushMany('orders', ['a', 'b', 'c']);
  assert.deepEqual((await queue.pullMany('orders', 9)).map(text), ['a', 'b']);
  fake.advance(999);
  assert.equal(await pull(), undefined);
  fake.advance(1);
  assert.equal(await pull(), 'c');
});

test('aging lets the longest waiting message pass higher priorities', async () => {
  await queue.configure('orders', { aging: 1_000 });
  await queue.push('orders', 'old');
  fake.advance(1_001);
  await queue.push('orders', 'urgent', { priority: 9 });
  assert.deepEqual([await pull(), await pull()], ['old', 'urgent']);
});

test('a time to live ends while a message waits, not while it is held', async () => {
  await queue.pushMany('orders', ['a', 'b'], { ttl: 100 });
  const a = await queue.pull('orders', { visibility: 1_000 });
  fake.advance(100);
  assert.equal(await queue.len('orders'), 1);
  await queue.ack(a!);
  assert.equal((await queue.info('orders')).ttlExpired, 1);
});

test('a time to live may end in the dead-letter queue, where it ends no more', async () => {
  await queue.push('orders', 'a', { ttl: 100, ttlDead: true });
  const held = await queue.pull('orders', { visibility: 1_000 });
  fake.advance(100);
  assert.equal(await queue.len('orders', 'dead'), 0);
  await queue.nack(held!);
  assert.equal((await queue.peek('orders', { state: 'dead' }))[0]?.deadReason, 'expired');
  await queue.configure('{orders}:dead', { ttl: 100 });
  await queue.nack((await queue.pull('{orders}:dead'))!, { noCount: true });
  fake.advance(100_000);
  assert.equal(await queue.len('orders', 'dead'), 1);
});

test('messages of a group that are given back keep their order', async () => {
  await queue.configure('orders', { groupInflight: 2 });
  await queue.pushMany('orders', ['a', 'b', 'c'], { group: 'acme' });
  await queue.nackMany(await queue.pullMany('orders', 2), { noCount: true });
  assert.deepEqual((await queue.pullMany('orders', 9)).map(text), ['a', 'b']);
});

test('a queue that nobody uses is dropped, unless somebody waits for it', async () => {
  await queue.configure('orders', { expires: 1_000 });
  const waiting = queue.pull('orders', { block: 0 });
  fake.advance(10_000);
  await queue.push('orders', 'a', { delay: 5_000 });
  fake.advance(900);
  assert.equal((await queue.config('orders')).expires, 1_000);
  fake.advance(4_100);
  assert.equal(text(await waiting), 'a');
  fake.advance(999);
  assert.deepEqual(await queue.queues(), ['orders']);
  fake.advance(1);
  assert.deepEqual(await queue.queues(), []);
});

test('dead letters have the limits of their own queue', async () => {
  await queue.configure('{orders}:dead', { maxLen: 1, ttl: 1_000 });
  await queue.pushMany('orders', ['a', 'b']);
  for (const message of await queue.pullMany('orders', 2)) await queue.nack(message, { dead: true });
  assert.deepEqual((await queue.peek('orders', { state: 'dead' })).map(text), ['b']);
  fake.advance(1_000);
  assert.equal(await queue.len('orders', 'dead'), 0);
});

test('a deduplication key is held for its window, and the queue may limit the keys', async () => {
  await queue.configure('orders', { maxDedup: 1 });
  const id = await queue.push('orders', 'a', { dedup: 'k', window: 100 });
  await assert.rejects(queue.push('orders', 'b', { dedup: 'other' }), QueueFullError);
  assert.equal(await queue.push('orders', 'b', { dedup: 'k' }), id);
  fake.advance(100);
  assert.notEqual(await queue.push('orders', 'b', { dedup: 'other' }), id);
});

test('those who wait are served in their order, when something comes', async () => {
  const first = queue.pull('orders', { block: 60_000 });
  const second = queue.pull(['mails', 'orders'], { block: 60_000 });
  assert.equal((await queue.info('orders')).blockedClients, 2);
  await queue.pushMany('orders', ['a', 'b']);
  assert.deepEqual([text(await first), text(await second)], ['a', 'b']);
});

test('a wait ends on the clock of the fake, or on that of the wall', async () => {
  const waiting = queue.pull('orders', { block: 60_000 });
  fake.advance(60_000);
  assert.equal(await waiting, null);
  assert.deepEqual(await queue.pullMany('orders', 2, { block: 20 }), []);
  const delayed = queue.pull('orders', { block: 60_000 });
  await queue.push('orders', 'a', { delay: 10_000 });
  fake.advance(10_000);
  assert.equal(text(await delayed), 'a');
});

test('wrong arguments are refused', async () => {
  const refused: Promise<unknown>[] = [
    queue.push('', 'a'),
    queue.push('a}b', 'a'),
    queue.push('orders', 'a', { delay: 1, at: new Date() }),
    queue.push('orders', 'a', { window: 1 }),
    queue.push('orders', 'a', { ttlDead: true }),
    queue.nack({ queue: 'orders', id: '', receipt: '' }, { front: true }),
    queue.nack({ queue: 'orders', id: '', receipt: '' }, { noCount: true, front: true, delay: 1 }),
    queue.extendConsumer('orders', ''),
    queue.push('orders', 'a', { delay: NaN }),
    queue.push('orders', 'a', { group: '' }),
    queue.pull('orders', { noAck: true, visibility: 1 }),
    queue.pull([]),
    queue.configure('orders', { deadLetter: 'orders' }),
    queue.configure('orders', { backoff: 2, backoffMax: 1 }),
    queue.redrive('orders', { to: 'orders' }),
    queue.delete('orders', []),
  ];
  for (const { status, reason } of (await Promise.allSettled(refused)) as PromiseRejectedResult[]) {
    assert.equal(status, 'rejected');
    assert.ok(reason instanceof InvalidArgumentError, String(reason));
  }
});

test('settings go back to their defaults', async () => {
  const defaults = await queue.config('orders');
  await queue.configure('orders', { maxLen: 3, deadLetter: 'grave' });
  assert.deepEqual(await queue.config('orders'), { ...defaults, maxLen: 3, deadLetter: 'grave' });
  await queue.configure('orders', { maxLen: null, deadLetter: null });
  assert.deepEqual(await queue.config('orders'), defaults);
  assert.deepEqual(await queue.queues(), []);
});
