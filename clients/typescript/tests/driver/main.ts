// The driver of the contract: clients/contract/README.md says what it does. MQ_LIBRARY says which Redis client it uses.

import { createInterface } from 'node:readline';
import { Client, type Redis } from 'redis-mq';
import { FakeRedis } from 'redis-mq/testing';
import { answer, type Call } from './calls.js';
import { work } from './worker.js';

const { MQ_URL = '', MQ_PROTOCOL = '3', MQ_LIBRARY = 'redis' } = process.env;

/** Loads only the Redis client that it uses: the cases start many workers. */
async function connect(): Promise<Redis> {
  const RESP = MQ_PROTOCOL === '2' ? 2 : 3;
  if (MQ_LIBRARY === 'ioredis') {
    const { Redis } = await import('ioredis');
    return new Redis(MQ_URL, { protocol: RESP }).on('error', () => {});
  }
  const { createClient } = await import('redis');
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
