// Pushes, pulls and acknowledges as the users of examples/acl/users.acl, and reads metrics as the monitor.
//
//   users-ioredis.mjs standalone|cluster PORT USER:PASSWORD...
import assert from 'node:assert';
import { Cluster, Redis } from 'ioredis';

const [mode, port, ...users] = process.argv.slice(2);
const passwords = Object.fromEntries(users.map((user) => user.split(':')));

function connect(username) {
  // The ready check sends INFO, which only the monitor may run; ioredis continues if it is refused.
  const enableReadyCheck = username === 'monitor';
  const options = { username, password: passwords[username], connectionName: username, enableReadyCheck };
  const node = { host: '127.0.0.1', port };
  const client = mode === 'cluster'
    ? new Cluster([node], { redisOptions: options, scaleReads: username === 'monitor' ? 'slave' : 'master' })
    : new Redis({ ...node, ...options });
  client.on('error', (error) => { throw error; });
  return client;
}

const clients = ['producer', 'consumer', 'monitor'].map(connect);
const [producer, consumer, monitor] = clients;
assert.ok(await producer.call('MQ.PUSH', 'orders', 'one'));
if (mode === 'standalone') {
  const replies = await producer.multi().call('MQ.PUSH', 'orders', 'two').exec();
  assert.equal(replies[0][0], null);
  assert.equal(await producer.wait(0, 10), 0);
} else {
  await producer.call('MQ.PUSH', 'orders', 'two');
}
for (const payload of ['one', 'two']) {
  const reply = await consumer.call('MQ.PULL', 'orders', 'BLOCK', 1000);
  const message = {};
  for (let i = 0; i < reply.length; i += 2) message[reply[i]] = reply[i + 1];
  assert.equal(message.payload, payload);
  assert.equal(await consumer.call('MQ.ACK', 'orders', message.id, message.receipt), 1);
}
if (mode === 'standalone') assert.equal(await consumer.client('UNBLOCK', await consumer.client('ID')), 0);
assert.match(await monitor.info('mq'), /mq_op_version/);
assert.equal(await monitor.call('MQ.LEN', 'orders'), 0);
for (const client of clients) client.disconnect();
console.log('done');
