// Pushes numbered messages to a queue of a cluster, pulls and acknowledges them, until its input ends and the
// queue is empty. Prints what the server replied: `pushed 7`, `pulled 7 id`, `acknowledged 7`, `instead NOTFOUND`.
//
//   cluster.mjs QUEUE PORT...
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';

const [queue, ...ports] = process.argv.slice(2);
const nodes = ports.map((port) => ({ host: '127.0.0.1', port }));
let ended = false;
process.stdin.on('end', () => { ended = true; }).resume();

// A blocked pull blocks its connection: each consumer has its own client.
function connect() {
  // Every MOVED, ASK, TRYAGAIN, CLUSTERDOWN and lost connection counts. The default, 16, is used up long before a
  // failover completes.
  const client = new Cluster(nodes, { maxRedirections: 10000 });
  client.on('error', (error) => console.error(error));
  return client;
}

// An expected error.
function instead(error, ...expected) {
  const [code] = error.message.split(' ');
  if (!expected.includes(code)) throw error;
  console.log('instead', code);
}

async function produce(client) {
  for (let number = 0; !ended; number += 1) {
    // The library retries unanswered commands: DEDUP prevents duplicates.
    await client.call('MQ.PUSH', queue, number, 'DEDUP', number);
    console.log('pushed', number);
    await sleep(5);
  }
}

async function consume(client) {
  while (!ended || await client.call('MQ.LEN', queue) > 0) {
    let reply;
    try {
      reply = await client.call('MQ.PULL', queue, 'VISIBILITY', 2000, 'BLOCK', 500);
    } catch (error) {
      instead(error, 'UNBLOCKED');
      continue;
    }
    if (reply === null) continue;
    const message = {};
    for (let i = 0; i < reply.length; i += 2) message[reply[i]] = reply[i + 1];
    console.log('pulled', message.payload, message.id);
    try {
      await client.call('MQ.ACK', queue, message.id, message.receipt);
      console.log('acknowledged', message.payload);
    } catch (error) {
      instead(error, 'NOTFOUND', 'BADRECEIPT');
    }
  }
}

const clients = [connect(), connect(), connect()];
const [producer, first, second] = clients;
await Promise.all([produce(producer), consume(first), consume(second)]);
for (const client of clients) client.disconnect();
