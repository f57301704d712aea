// Each system behind `push(payloads)`, which ends when the server has accepted them, and `consume`, which calls `ready`,
// then `delivered(payload)` for each message and `done(n)` when n of them were acknowledged, until that returns false.
// With a batch of 1, one message is taken and acknowledged at a time.
// Each client is imported where it is used: a process loads only its own.

const QUEUE = 'bench';
// Systems without blocking reads are polled.
const POLL_MS = 10;
const VISIBILITY_MS = 60_000;

async function redisOn(port, options = {}) {
  const { Redis } = await import('ioredis');
  return new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null, ...options });
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A pipeline of ioredis; its errors.
async function pipelined(redis, commands) {
  const replies = await redis.pipeline(commands).exec();
  return replies.map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

// The way that redis-mq recommends: acknowledgments travel with the next pull, pushes with MQ.MPUSH.
async function redisMq(port) {
  const redis = await redisOn(port);
  const fields = (flat) => Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at], flat[2 * at + 1]]));
  return {
    push: (payloads) =>
      payloads.length === 1 ? redis.call('MQ.PUSH', QUEUE, payloads[0]) : redis.call('MQ.MPUSH', QUEUE, payloads.length, ...payloads),
    async consume({ batch, delivered, done, ready }) {
      ready();
      let acks = [];
      for (;;) {
        const words = [QUEUE, 'VISIBILITY', VISIBILITY_MS, 'BLOCK', 2000, ...(batch > 1 ? ['COUNT', batch] : [])];
        if (acks.length > 0) words.push('ACK', acks.length / 2, ...acks);
        const reply = await redis.call('MQ.PULL', ...words);
        let messages = acks.length > 0 ? reply[1] : reply;
        if (acks.length > 0) done(acks.length / 2);
        messages = batch > 1 ? messages : messages ? [messages] : [];
        acks = [];
        let last = false;
        for (const message of messages.map(fields)) {
          last = delivered(message.payload) || last;
          acks.push(message.id, message.receipt);
        }
        if (last) {
          await redis.call('MQ.ACK', QUEUE, 'IDS', acks.length / 2, ...acks);
          done(acks.length / 2);
          return;
        }
      }
    },
  };
}

async function streams(port) {
  const redis = await redisOn(port);
  await redis.xgroup('CREATE', QUEUE, 'group', '$', 'MKSTREAM').catch((error) => {
    if (!error.message.startsWith('BUSYGROUP')) throw error;
  });
  const [info] = await redis.call('COMMAND', 'INFO', 'XACKDEL');
  const settle = info
    ? (ids) => redis.call('XACKDEL', QUEUE, 'group', 'IDS', ids.length, ...ids)
    : (ids) => pipelined(redis, [['xack', QUEUE, 'group', ...ids], ['xdel', QUEUE, ...ids]]);
  return {
    push: (payloads) =>
      payloads.length === 1 ? redis.xadd(QUEUE, '*', 'p', payloads[0]) : pipelined(redis, payloads.map((p) => ['xadd', QUEUE, '*', 'p', p])),
    async consume({ batch, delivered, done, ready }) {
      ready();
      for (;;) {
        const reply = await redis.xreadgroup('GROUP', 'group', 'consumer', 'COUNT', batch, 'BLOCK', 2000, 'STREAMS', QUEUE, '>');
        if (!reply) continue;
        const entries = reply[0][1];
        for (const [, [, payload]] of entries) delivered(payload);
        await settle(entries.map(([id]) => id));
        if (!done(entries.length)) return;
      }
    },
  };
}

// The reliable queue of the Redis documentation.
async function lists(port) {
  const redis = await redisOn(port);
  const taken = `${QUEUE}:taken`;
  return {
    push: (payloads) => redis.lpush(QUEUE, ...payloads),
    async consume({ batch, delivered, done, ready }) {
      ready();
      for (;;) {
        let payloads = batch > 1 ? await pipelined(redis, Array(batch).fill(['lmove', QUEUE, taken, 'RIGHT', 'LEFT'])) : [];
        payloads = payloads.filter((payload) => payload !== null);
        if (payloads.length === 0) {
          const payload = await redis.blmove(QUEUE, taken, 'RIGHT', 'LEFT', 2);
          if (payload === null) continue;
          payloads = [payload];
        }
        payloads.forEach(delivered);
        if (payloads.length === 1) await redis.lrem(taken, 1, payloads[0]);
        else await pipelined(redis, payloads.map((payload) => ['lrem', taken, -1, payload]));
        if (!done(payloads.length)) return;
      }
    },
  };
}

// A queue with a visibility timeout as people write it: a list of ids, a hash of payloads, a sorted set of deadlines.
const LUA = {
  luaPush: {
    numberOfKeys: 3,
    lua: `for _, payload in ipairs(ARGV) do
  local id = redis.call('INCR', KEYS[3])
  redis.call('HSET', KEYS[2], id, payload)
  redis.call('RPUSH', KEYS[1], id)
end`,
  },
  luaPull: {
    numberOfKeys: 3,
    lua: `for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1], 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[3], id)
  redis.call('RPUSH', KEYS[1], id)
end
local found = {}
for _ = 1, ARGV[3] do
  local id = redis.call('LPOP', KEYS[1])
  if not id then break end
  redis.call('ZADD', KEYS[3], ARGV[1] + ARGV[2], id)
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', KEYS[2], id)
end
return found`,
  },
  luaAck: {
    numberOfKeys: 2,
    lua: `local count = 0
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[2], id) == 1 then
    redis.call('HDEL', KEYS[1], id)
    count = count + 1
  end
end
return count`,
  },
};

async function lua(port) {
  const redis = await redisOn(port, { scripts: LUA });
  const [ready_, bodies, inflight, ids] = ['ready', 'bodies', 'inflight', 'ids'].map((key) => `{${QUEUE}}:${key}`);
  return {
    push: (payloads) => redis.luaPush(ready_, bodies, ids, ...payloads),
    async consume({ batch, delivered, done, ready }) {
      ready();
      for (;;) {
        const found = await redis.luaPull(ready_, bodies, inflight, Date.now(), VISIBILITY_MS, batch);
        if (found.length === 0) {
          await pause(POLL_MS);
          continue;
        }
        const taken = found.filter((_, at) => at % 2 === 0);
        found.filter((_, at) => at % 2 === 1).forEach(delivered);
        await redis.luaAck(bodies, inflight, ...taken);
        if (!done(taken.length)) return;
      }
    },
  };
}

async function bullmq(port) {
  const { Queue, Worker } = await import('bullmq');
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  return {
    push: (payloads) =>
      payloads.length === 1
        ? queue.add('job', { p: payloads[0] })
        : queue.addBulk(payloads.map((p) => ({ name: 'job', data: { p } }))),
    consume: ({ batch, delivered, done, ready }) =>
      new Promise((resolve, reject) => {
        const handler = async (job) => {
          delivered(job.data.p);
        };
        const worker = new Worker(QUEUE, handler, { connection, concurrency: batch });
        worker.on('completed', () => done() || resolve());
        worker.on('failed', (_, error) => reject(error));
        worker.on('error', reject);
        worker.waitUntilReady().then(ready, reject);
      }),
  };
}

async function rsmq(port) {
  const { default: RSMQ } = await import('rsmq');
  const queue = new RSMQ({ host: '127.0.0.1', port, ns: 'rsmq' });
  await queue.createQueueAsync({ qname: QUEUE, vt: VISIBILITY_MS / 1000 }).catch((error) => {
    if (error.name !== 'queueExists') throw error;
  });
  return {
    push: (payloads) => Promise.all(payloads.map((message) => queue.sendMessageAsync({ qname: QUEUE, message }))),
    async consume({ delivered, done, ready }) {
      ready();
      for (;;) {
        const found = await queue.receiveMessageAsync({ qname: QUEUE });
        if (!found.id) {
          await pause(POLL_MS);
          continue;
        }
        delivered(found.message);
        await queue.deleteMessageAsync({ qname: QUEUE, id: found.id });
        if (!done()) return;
      }
    },
  };
}

async function beanstalkd(port) {
  const { default: JackdClient } = await import('jackd');
  const client = new JackdClient();
  await client.connect({ host: '127.0.0.1', port });
  return {
    push: (payloads) => Promise.all(payloads.map((payload) => client.put(payload, { ttr: VISIBILITY_MS / 1000 }))),
    async consume({ batch, delivered, done, ready }) {
      ready();
      // There are no batches, but requests can be sent before the replies to earlier ones have arrived.
      let deletes = [];
      for (;;) {
        const job = await client.reserve();
        const last = delivered(job.payload.toString());
        deletes.push(client.delete(job.id));
        if (deletes.length >= batch || last) {
          await Promise.all(deletes);
          if (!done(deletes.length)) return;
          deletes = [];
        }
      }
    },
  };
}

async function rabbitmq(port) {
  const { connect } = await import('amqplib');
  const connection = await connect(`amqp://127.0.0.1:${port}`, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  return {
    push: (payloads) =>
      Promise.all(
        payloads.map(
          (payload) =>
            new Promise((resolve, reject) => {
              channel.sendToQueue(QUEUE, Buffer.from(payload), { persistent: true }, (error) => (error ? reject(error) : resolve()));
            }),
        ),
      ),
    async consume({ batch, delivered, done, ready }) {
      await channel.prefetch(batch);
      // Half of the prefetched messages are acknowledged by one frame, so that there is always something to do.
      const group = Math.max(1, batch / 2);
      let open = 0;
      await new Promise((resolve, reject) => {
        channel.on('error', reject);
        const handler = (message) => {
          const last = delivered(message.content.toString());
          open += 1;
          if (open < group && !last) return;
          channel.ack(message, true);
          if (!done(open)) resolve();
          open = 0;
        };
        channel.consume(QUEUE, handler).then(ready, reject);
      });
      // Acknowledgments have no reply: they have arrived when the channel is closed.
      await channel.close();
    },
  };
}

async function nats(port) {
  const { AckPolicy, connect, RetentionPolicy, StorageType } = await import('nats');
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  const manager = await connection.jetstreamManager();
  await manager.streams.add({
    name: QUEUE,
    subjects: [QUEUE],
    storage: StorageType.File,
    retention: RetentionPolicy.Workqueue,
  });
  await manager.consumers.add(QUEUE, {
    durable_name: 'workers',
    ack_policy: AckPolicy.Explicit,
    ack_wait: VISIBILITY_MS * 1e6,
    max_ack_pending: 10_000,
  });
  const jetstream = connection.jetstream();
  const text = new TextDecoder();
  const bytes = new TextEncoder();
  return {
    push: (payloads) => Promise.all(payloads.map((payload) => jetstream.publish(QUEUE, bytes.encode(payload)))),
    async consume({ batch, delivered, done, ready }) {
      const consumer = await jetstream.consumers.get(QUEUE, 'workers');
      ready();
      if (batch === 1) {
        for (;;) {
          const message = await consumer.next({ expires: 2000 });
          if (!message) continue;
          delivered(text.decode(message.data));
          await message.ackAck();
          if (!done()) return;
        }
      }
      for await (const message of await consumer.consume({ max_messages: batch })) {
        const last = delivered(text.decode(message.data));
        if (last) await message.ackAck();
        else message.ack();
        if (!done()) return;
      }
    },
  };
}

export const systems = { 'redis-mq': redisMq, Streams: streams, lists, Lua: lua, BullMQ: bullmq, RSMQ: rsmq, beanstalkd, RabbitMQ: rabbitmq, NATS: nats };
