// Pushes, pulls and acknowledges as the users of examples/acl/users.acl, and reads metrics as the monitor.
//
//   users-node-redis.mjs standalone|cluster PORT USER:PASSWORD...
import assert from 'node:assert';
import { createClient, createCluster } from 'redis';

const [mode, port, ...users] = process.argv.slice(2);
const passwords = Object.fromEntries(users.map((user) => user.split(':')));
const url = `redis://127.0.0.1:${port}`;

async function connect(username, RESP) {
  const options = { username, password: passwords[username], name: username, RESP, pingInterval: 100 };
  const client = mode === 'cluster'
    ? createCluster({ rootNodes: [{ url }], defaults: options, RESP, useReplicas: username === 'monitor' })
    : createClient({ url, ...options });
  client.on('error', (error) => { throw error; });
  await client.connect();
  return client;
}

// In a cluster the key selects the node.
function call(client, ...command) {
  return mode === 'cluster' ? client.sendCommand('orders', false, command) : client.sendCommand(command);
}

function inTransaction(client, ...command) {
  return mode === 'cluster'
    ? client.multi('orders').addCommand('orders', false, command).exec()
    : client.multi().addCommand(command).exec();
}

function fields(message) {
  if (message instanceof Map) return Object.fromEntries(message);
  if (!Array.isArray(message)) return message;
  return Object.fromEntries(message.flatMap((name, i) => (i % 2 ? [] : [[name, message[i + 1]]])));
}

async function work(RESP) {
  const clients = await Promise.all(['producer', 'consumer', 'monitor'].map((user) => connect(user, RESP)));
  const [producer, consumer, monitor] = clients;
  assert.ok(await call(producer, 'MQ.PUSH', 'orders', 'one'));
  assert.equal((await inTransaction(producer, 'MQ.PUSH', 'orders', 'two')).length, 1);
  assert.equal(typeof await call(producer, 'WAIT', '0', '10'), 'number');
  for (const payload of ['one', 'two']) {
    const message = fields(await call(consumer, 'MQ.PULL', 'orders', 'BLOCK', '1000'));
    assert.equal(message.payload, payload);
    assert.equal(await call(consumer, 'MQ.ACK', 'orders', message.id, message.receipt), 1);
  }
  const id = await call(consumer, 'CLIENT', 'ID');
  assert.equal(await call(consumer, 'CLIENT', 'UNBLOCK', String(id)), 0);
  assert.match(String(await call(monitor, 'INFO', 'mq')), /mq_op_version/);
  assert.equal(await call(monitor, 'MQ.LEN', 'orders'), 0);
  for (const client of clients) client.destroy();
}

for (const version of [2, 3]) await work(version);
console.log('done');
