// Enqueues messages for a system of Node, or works them off; run by workers.py.
//
//   node worker.mjs SYSTEM PORT push COUNT
//   node worker.mjs SYSTEM PORT work WARM_UP COUNT CONCURRENCY
//
// Prints lines of JSON: {"pushed": COUNT}; or {"started": true} when WARM_UP messages were handled, and {"seconds": s}
// when COUNT more were. Each client is imported where it is used: a process loads only its own.
const [name, port, role, ...numbers] = process.argv.slice(2);
const [first, second, concurrency] = numbers.map(Number);
const QUEUE = 'bench';
const BATCH = 500;
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const payload = 'x'.repeat(100);

async function ioredis(options) {
  const { Redis } = await import('ioredis');
  return new Redis(port, '127.0.0.1', options);
}

async function pushWithMpush(count) {
  const redis = await ioredis();
  await inBatches(count, (batch) => redis.call('MQ.MPUSH', QUEUE, batch, ...Array(batch).fill(payload)));
}

async function inBatches(count, push) {
  for (let left = count; left > 0; left -= BATCH) await push(Math.min(BATCH, left));
}

const systems = {
  worker: {
    push: pushWithMpush,
    async work(handled) {
      const { Worker } = await import('redis-mq');
      await new Worker(await ioredis(), QUEUE, handled, { concurrency }).run();
    },
  },
  loop: {
    push: pushWithMpush,
    async work(handled) {
      await Promise.all(
        Array.from({ length: concurrency }, async () => {
          const redis = await ioredis({ maxRetriesPerRequest: null });
          for (;;) {
            const reply = await redis.call('MQ.PULL', QUEUE, 'BLOCK', 5000);
            if (!reply) continue;
            const field = (name) => reply[reply.indexOf(name) + 1];
            handled();
            await redis.call('MQ.ACK', QUEUE, field('id'), field('receipt'));
          }
        }),
      );
    },
  },
  bullmq: {
    async push(count) {
      const { Queue } = await import('bullmq');
      const queue = new Queue(QUEUE, { connection: { port }, defaultJobOptions: { removeOnComplete: true } });
      await inBatches(count, (batch) => queue.addBulk(Array(batch).fill({ name: 'message', data: payload })));
    },
    async work(handled) {
      const { Worker } = await import('bullmq');
      const connection = { port, maxRetriesPerRequest: null };
      const worker = new Worker(QUEUE, async () => handled(), { connection, concurrency });
      await new Promise((_, reject) => worker.on('error', reject));
    },
  },
};

if (role === 'push') {
  await systems[name].push(first);
  say({ pushed: first });
} else {
  let count = 0;
  let started;
  await systems[name].work(() => {
    count += 1;
    if (count === first) {
      started = performance.now();
      say({ started: true });
    } else if (count === first + second) {
      say({ seconds: (performance.now() - started) / 1000 });
    }
  });
}
process.exit(0);
