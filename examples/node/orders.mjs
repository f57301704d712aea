// `node orders.mjs produce 10` pushes ten orders, `node orders.mjs consume` processes orders until SIGTERM or Ctrl-C;
// without arguments it pushes three and processes what is in the queue.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, ErrorReply, RESP_TYPES } from 'redis';

const QUEUE = 'orders';
const BLOCK_MS = 2000;
// Temporary errors: the same command may succeed later.
const NOT_NOW = 'BUSY CLUSTERDOWN LOADING MASTERDOWN MISCONF NOREPLICAS OOM QUEUEFULL READONLY TRYAGAIN UNBLOCKED'.split(' ');

// A blocked pull blocks its connection: give each consumer its own client.
const client = createClient({
  url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  RESP: 3,
  socket: { socketTimeout: 60_000 }, // longer than BLOCK and than processing an order
  disableOfflineQueue: true, // the library does not queue commands while disconnected: send() retries them
  commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }, // payloads are binary-safe
});
client.on('error', (error) => {
  console.error('connection:', error.message || error.code);
  if (/^(NOAUTH|WRONGPASS|NOPERM) /.test(error.message)) process.exit(1); // the library would retry forever
});
let stopping = false;

// Retries the command until the server answers, so executing it twice must be harmless.
async function send(...command) {
  for (let pause = 100; ; pause = Math.min(pause * 2, 1000)) {
    try {
      return await client.sendCommand(command);
    } catch (error) {
      const code = error.message.split(' ')[0];
      if (code === 'NOTFOUND' || code === 'BADRECEIPT') { // processing took longer than the visibility
        return console.log(`too late: ${error.message}`);
      }
      if (error instanceof ErrorReply && !NOT_NOW.includes(code)) throw error;
      if (stopping) throw new Error(`${command[0]}: ${error.message}`);
      console.error(`${command[0]} will be retried: ${error.message}`);
    }
    await sleep(pause);
  }
}

async function produce(count) {
  for (let number = 1; number <= count; number += 1) {
    // With DEDUP, a push repeated because its reply was lost adds the message only once.
    await send('MQ.PUSH', QUEUE, `order ${number}`, 'DEDUP', randomUUID());
    console.log(`pushed order ${number}`);
  }
}

// Acknowledges the order that is done, if there is one, and processes the next. Returns what has to be acknowledged then:
// its id and receipt, or nothing if it failed; null if no order came within BLOCK.
async function consume(done) {
  const ack = done?.length ? ['ACK', '1', ...done] : [];
  // ONDISCONNECT: if this connection closes, the server returns the message to the queue.
  let reply = await send('MQ.PULL', QUEUE, 'BLOCK', String(BLOCK_MS), 'ONDISCONNECT', ...ack);
  if (ack.length) {
    const [[acknowledged], pulled] = reply;
    if (acknowledged !== 1) console.log('too late'); // processing took longer than the visibility
    reply = pulled;
  }
  if (reply === null) return null;
  // A map in RESP3; on Redis 6, modules can only reply with flat arrays.
  let message = reply;
  if (Array.isArray(reply)) {
    message = {};
    for (let i = 0; i < reply.length; i += 2) message[reply[i]] = reply[i + 1];
  }
  const claim = [message.id, message.receipt];
  try {
    await work(new TextDecoder('utf-8', { fatal: true }).decode(message.payload), message.retry_count);
    return claim;
  } catch (error) {
    // Delivered again after the backoff; an undecodable payload goes to the dead-letter queue.
    const final = error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? ['DEAD'] : [];
    console.log(`nacked: ${error.message}`);
    await send('MQ.NACK', QUEUE, ...claim, ...final, 'REASON', error.message);
    return [];
  }
}

async function work(order, retryCount) {
  await sleep(100); // the work
  if (order === 'order 2' && retryCount === 0) throw new Error('no stock');
  console.log(`processed ${order}`);
}

await client.connect();
const [mode, count = '3'] = process.argv.slice(2);
if (mode !== 'consume') await produce(Number(count));
if (mode !== 'produce') {
  process.on('SIGTERM', () => { stopping = true; }).on('SIGINT', () => { stopping = true; }); // after the current order
  let done = [];
  while (!stopping && ((done = await consume(done)) || mode === 'consume'));
  if (done?.length) await send('MQ.ACK', QUEUE, ...done);
}
client.destroy();
