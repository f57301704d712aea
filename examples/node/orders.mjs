// Pushes three orders and works through them: what succeeds is acknowledged, what fails is given back.
import { createClient, ErrorReply } from 'redis';

const QUEUE = 'orders';

// A pull with BLOCK holds up its connection: give each consumer a client of its own.
const client = createClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379', RESP: 2 });
client.on('error', (error) => console.error(error));
await client.connect();

async function produce() {
  for (const payload of ['one', 'two', 'three']) {
    await client.sendCommand(['MQ.PUSH', QUEUE, payload]);
    console.log('pushed', payload);
  }
}

async function consume() {
  for (;;) {
    const reply = await client.sendCommand(['MQ.PULL', QUEUE, 'VISIBILITY', '30000', 'BLOCK', '1000']);
    if (reply === null) return; // nothing came; a real consumer pulls again
    const message = {};
    for (let i = 0; i < reply.length; i += 2) message[reply[i]] = reply[i + 1];
    try {
      await work(message);
    } catch (error) {
      await settle('MQ.NACK', message, 'DELAY', '100');
      console.log('gave back', message.payload, 'after:', error.message);
      continue;
    }
    await settle('MQ.ACK', message);
    console.log('done', message.payload);
  }
}

async function work(message) {
  if (message.payload === 'two' && message.retry_count === 0) throw new Error('no stock');
}

async function settle(command, message, ...options) {
  try {
    await client.sendCommand([command, QUEUE, message.id, message.receipt, ...options]);
  } catch (error) {
    if (!(error instanceof ErrorReply)) throw error;
    // NOTFOUND or BADRECEIPT: its visibility ended and the message is no longer ours.
    console.log('too late:', error.message);
  }
}

await produce();
await consume();
await client.close();
