// What a message makes of the replies of servers and Redis clients.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, InvalidArgumentError, Message, type Reply, type Word } from 'redis-mq';
import { FakeRedis } from 'redis-mq/testing';

const TEXT = Buffer.from('größe');
const BROKEN = Buffer.from([0xff, 0x00]);

test('a message is the same however the map is represented', () => {
  const pairs: [string, Reply][] = [['id', 'i'], ['payload', TEXT], ['timestamp', 1_000], ['headers', ['type', TEXT]], ['priority', '3']];
  const expected = new Message(pairs.flat());
  assert.equal(expected.text(), 'größe');
  assert.deepEqual(expected.timestamp, new Date(1_000));
  assert.equal(expected.headers['type'], 'größe');
  assert.equal(expected.priority, 3);
  assert.deepEqual(new Message(new Map(pairs)), expected);
  assert.deepEqual(new Message(Object.fromEntries(pairs)), expected);
  assert.deepEqual(new Message(pairs.flat().map((word) => (typeof word === 'string' ? Buffer.from(word) : word))), expected);
});

test('a payload that is no UTF-8 can be read as bytes only', () => {
  const message = new Message(['payload', BROKEN]);
  assert.deepEqual(message.payload, BROKEN);
  assert.throws(() => message.text(), TypeError);
  assert.throws(() => message.json(), TypeError);
});

test('a payload that is no JSON is a syntax error', () => {
  assert.throws(() => new Message(['payload', 'a']).json(), SyntaxError);
  assert.deepEqual(new Message(['payload', '{"a":[1]}']).json(), { a: [1] });
});

test('headers that are no UTF-8 survive as bytes', () => {
  const message = new Message(['headers', [BROKEN, BROKEN]]);
  assert.deepEqual(message.rawHeaders, [[BROKEN, BROKEN]]);
});

test('a name of a header finds nothing that objects inherit', () => {
  assert.equal(new Message([]).headers['constructor'], undefined);
  assert.equal(new Message(['headers', ['__proto__', 'a']]).headers['__proto__'], 'a');
});

test('a message without a receipt can not be acknowledged', async () => {
  const client = new Client({ send: () => Promise.reject(new Error('sent')), open: () => Promise.reject(new Error('opened')) });
  await assert.rejects(client.ack(new Message(['id', 'i', 'queue', 'orders'])), /message i has no receipt/);
});

test('a batch is of one queue, and an empty one is not sent', async () => {
  const client = new Client({ send: () => Promise.reject(new Error('sent')), open: () => Promise.reject(new Error('opened')) });
  const [a, b] = [{ queue: 'a', id: '1', receipt: 'r' }, { queue: 'b', id: '2', receipt: 'r' }];
  await assert.rejects(client.ackMany([a, b]), TypeError);
  await assert.rejects(client.pull('a', { ack: [b] }), TypeError);
  assert.deepEqual(await client.extendMany([]), []);
});

test('TO and DEADLETTER come before values that may be the same words', async () => {
  const sent: string[] = [];
  const send = async (words: Word[]): Promise<Reply> => {
    sent.push(words.join(' '));
    return 0;
  };
  const client = new Client({ send, open: () => Promise.reject(new Error('opened')) });
  await client.redrive('grave', { from: 'to', to: 'orders' });
  await client.configure('orders', { maxLen: 3, deadLetter: 'grave', delay: null });
  await client.configure('orders', { deadLetter: null });
  assert.deepEqual(sent, [
    'MQ.REDRIVE grave TO orders FROM to',
    'MQ.CONFIG orders DEADLETTER grave MAXLEN 3 DELAY ',
    'MQ.CONFIG orders DEFAULTDEADLETTER',
  ]);
});

test('an option that does not exist is refused', async () => {
  const client = new Client(new FakeRedis());
  const misspelt = { vissibility: 3, dely: 3 } as object;
  await assert.rejects(client.push('orders', 'a', misspelt), TypeError);
  await assert.rejects(client.pushMany('orders', ['a'], misspelt), TypeError);
  await assert.rejects(client.publish('orders', 'a', misspelt), TypeError);
  await assert.rejects(client.pull('orders', misspelt), TypeError);
  await assert.rejects(client.pullMany('orders', 1, misspelt), TypeError);
});

test('a setting that does not exist is refused', async () => {
  const misspelt = { maxRetrys: 3 } as object;
  await assert.rejects(new Client(new FakeRedis()).configure('orders', misspelt), InvalidArgumentError);
});
