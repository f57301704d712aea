// The driver of the contract: clients/contract/README.md says what it does. MQ_LIBRARY says which Redis client it uses.

import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Client, type Redis as AnyRedis } from 'redis-mq';
import { FakeRedis } from 'redis-mq/testing';
import { answer, type Call } from './calls.js';
import { work } from './worker.js';

const { MQ_URL = '', MQ_PROTOCOL = '3', MQ_LIBRARY = 'redis' } = process.env;

async function connect(): Promise<AnyRedis> {
  const RESP = MQ_PROTOCOL === '2' ? 2 : 3;
  if (MQ_LIBRARY === 'ioredis') return new Redis(MQ_URL, { protocol: RESP }).on('error', () => {});
  return createClient({ url: MQ_URL, RESP }).on('error', () => {}).connect();
}

async function serve(answerTo: (call: Call) => Promise<object>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answerTo(JSON.parse(line))));
  }
}

async function serveClient(): Promise<void> {
  const client = new Client(await connect());
  await serve((call) => answer(client, call));
}

async function serveFake(): Promise<void> {
  let fake = new FakeRedis();
  await serve(async (call) => {
    if (call.call === 'advance') fake.advance(call['ms']);
    else if (call.call === 'reset') fake = new FakeRedis();
    else return answer(new Client(fake), call);
    return { ok: null };
  });
}

switch (process.argv[2]) {
  case 'client':
    await serveClient();
    break;
  case 'fake':
    await serveFake();
    break;
  case 'worker':
    await work(await connect());
    break;
  default:
    throw new Error('the mode is client, fake or worker');
}
process.exit();
