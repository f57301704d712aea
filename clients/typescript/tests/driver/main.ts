// The driver of the contract: clients/contract/README.md says what it does. MQ_LIBRARY says which Redis client it uses.

import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Client, type Redis as AnyRedis } from 'redis-mq';
import { answer } from './calls.js';
import { work } from './worker.js';

const { MQ_URL = '', MQ_PROTOCOL = '3', MQ_LIBRARY = 'redis' } = process.env;

async function connect(): Promise<AnyRedis> {
  const RESP = MQ_PROTOCOL === '2' ? 2 : 3;
  if (MQ_LIBRARY === 'ioredis') return new Redis(MQ_URL, { protocol: RESP }).on('error', () => {});
  return createClient({ url: MQ_URL, RESP }).on('error', () => {}).connect();
}

async function serve(client: Client): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(client, JSON.parse(line))));
  }
}

switch (process.argv[2]) {
  case 'client':
    await serve(new Client(await connect()));
    break;
  case 'worker':
    await work(await connect());
    break;
  default:
    throw new Error('the mode is client, fake or worker');
}
process.exit();
