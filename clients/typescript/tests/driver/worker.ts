// The worker of the contract, with the handler that does what a payload says.

import { setTimeout as sleep } from 'node:timers/promises';
import { Dead, Release, Retry, Worker, type Handler, type Redis } from 'redis-mq';

export async function work(redis: Redis): Promise<void> {
  const worker = new Worker(redis, (process.env['MQ_QUEUES'] ?? '').split(','), handle, {
    concurrency: setting('CONCURRENCY'),
    prefetch: process.env['MQ_PREFETCH'] === undefined ? undefined : setting('PREFETCH'),
    visibility: setting('VISIBILITY'),
    grace: setting('GRACE'),
    block: setting('BLOCK'),
    disconnectGrace: process.env['MQ_DISCONNECT_GRACE'] === undefined ? undefined : setting('DISCONNECT_GRACE'),
    maxProcessing: setting('MAX_PROCESSING') || undefined,
  });
  console.log('ready');
  await (setting('UNTIL_EMPTY') ? worker.runUntilEmpty() : worker.run());
  console.log('stopped');
}

function setting(name: string): number {
  return Number(process.env[`MQ_${name}`]);
}

const handle: Handler = async (message, { signal }) => {
  const [number = '', verb, argument] = message.text().split(' ');
  if (number === '') throw new Error('no number');
  console.log(`start ${number} ${message.retryCount}`);
  const isFirst = message.retryCount === 0;
  switch (verb) {
    case 'sleep':
      await sleepOrSay(number, Number(argument), signal);
      break;
    case 'hold':
      await sleep(Number(argument));
      break;
    case 'fail':
      throw new Error('no stock');
    case 'fail-once':
      if (isFirst) throw new Error('no stock');
      break;
    case 'retry':
      if (isFirst) throw new Retry(Number(argument), 'later');
      break;
    case 'release':
      if ((message.deliveries ?? 1) === 1) throw new Release();
      break;
    case 'dead':
      throw new Dead('no address');
  }
  console.log(`done ${number}`);
};

async function sleepOrSay(number: string, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    console.log(`cancelled ${number}`);
    throw error;
  }
}
