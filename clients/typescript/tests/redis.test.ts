// The Redis clients that can be given to this package, each on a real server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Cluster, Redis } from 'ioredis';
import { createClient, createClientPool, createCluster, createSentinel, RESP_TYPES } from 'redis';
import { Client, InvalidArgumentError, Worker, type LogEntry, type Redis as AnyRedis } from 'redis-mq';
import { eventually, freePort, startSentinel, startServer, type TestServer } from './server.js';

interface Case {
  name: string;
  /** A worker can't use it as a pattern. */
  isPool?: boolean;
  /** The client reads the names of maps as text. */
  hasTextNames?: boolean;
  connect(server: TestServer): Promise<{ redis: AnyRedis; close(): unknown }>;
}

const SINGLE: Case[] = [
  ...([2, 3] as const).flatMap((RESP): Case[] => [
    {
      name: `a client of redis, RESP${RESP}`,
      connect: async ({ url }) => {
        const redis = await createClient({ url, RESP }).connect();
        return { redis, close: () => redis.destroy() };
      },
    },
    {
      name: `a client of ioredis, RESP${RESP}`,
      connect: async ({ url }) => {
        const redis = new Redis(url, { protocol: RESP });
        return { redis, close: () => redis.disconnect() };
      },
    },
  ]),
  {
    name: 'a client of redis that maps replies and has time-outs',
    connect: async ({ url }) => {
      const commandOptions = { typeMapping: { [RESP_TYPES.NUMBER]: String, [RESP_TYPES.MAP]: Map, [RESP_TYPES.BLOB_STRING]: String } };
      const redis = await createClient({ url, commandOptions, socket: { socketTimeout: 30_000 } }).connect();
      return { redis, close: () => redis.destroy() };
    },
  },
  {
    name: 'a client of ioredis that maps replies, pipelines and has time-outs',
    hasTextNames: true,
    connect: async ({ url }) => {
      const redis = new Redis(url, { protocol: 3, replyMapping: 'resp3', stringNumbers: true, enableAutoPipelining: true, commandTimeout: 200 });
      return { redis, close: () => redis.disconnect() };
    },
  },
  {
    name: 'a pool of redis',
    isPool: true,
    connect: async ({ url }) => {
      const redis = createClientPool({ url });
      await redis.connect();
      return { redis, close: () => redis.destroy() };
    },
  },
];

const CLUSTER: Case[] = [
  {
    name: 'a cluster of redis',
    connect: async ({ url }) => {
      const redis = await createCluster({ rootNodes: [{ url }] }).connect();
      return { redis, close: () => redis.destroy() };
    },
  },
  {
    name: 'a cluster of ioredis',
    connect: async ({ url }) => {
      const redis = new Cluster([url]);
      return { redis, close: () => redis.disconnect() };
    },
  },
];

const SENTINEL: Case[] = [
  {
    name: 'a master that Sentinel names to redis',
    connect: async ({ port }) => {
      const redis = await createSentinel({ name: 'mq', sentinelRootNodes: [{ host: '127.0.0.1', port }] }).connect();
      return { redis, close: () => redis.destroy() };
    },
  },
  {
    name: 'a master that Sentinel names to ioredis',
    connect: async ({ port }) => {
      const redis = new Redis({ name: 'mq', sentinels: [{ host: '127.0.0.1', port }] });
      return { redis, close: () => redis.disconnect() };
    },
  },
];

function works(cases: Case[], start: () => Promise<TestServer>): void {
  let server: TestServer;
  before(async () => {
    server = await start();
  });
  after(() => server.stop());

  for (const { name, isPool, hasTextNames, connect } of cases) {
    test(name, async () => {
      const { redis, close } = await connect(server);
      try {
        await messagesComeBackAsTheyWere(redis, hasTextNames ? 'name' : BYTES);
        if (!isPool) await aWorkerWorks(redis);
        else await assert.rejects(new Worker(redis, 'orders', () => {}, { log: () => {} }).run(), TypeError);
      } finally {
        close();
      }
    });
  }
}

const BYTES = Buffer.from([0, 255, 128, 13, 10]);

async function messagesComeBackAsTheyWere(redis: AnyRedis, name: Buffer | string): Promise<void> {
  const client = new Client(redis);
  await client.push('orders', new Uint8Array(BYTES), { headers: [['type', 'order'], [name, BYTES]], priority: 3 });
  const message = await client.pull('orders', { consumer: 'test' });
  assert.deepEqual(message?.payload, BYTES);
  assert.deepEqual(message.rawHeaders, [[Buffer.from('type'), Buffer.from('order')], [Buffer.from(name), BYTES]]);
  assert.equal(message.headers['type'], 'order');
  assert.equal(message.priority, 3);
  const { inflight, priorities, pausedUntil, exists } = await client.info('orders');
  assert.deepEqual({ inflight, priorities, pausedUntil, exists }, { inflight: 1, priorities: {}, pausedUntil: undefined, exists: true });
  assert.deepEqual(await client.ackMany([message, message]), ['done', 'not_found']);
  await assert.rejects(client.push('{orders}', ''), InvalidArgumentError);
}

async function aWorkerWorks(redis: AnyRedis): Promise<void> {
  const client = new Client(redis);
  await client.pushMany('{acme}.orders', ['1', '2', '3']);
  await client.push('{acme}.mails', '4');
  const seen: string[] = [];
  const worker = new Worker(redis, ['{acme}.mails', '{acme}.orders'], (message) => seen.push(message.text()), { block: 500, log: () => {} });
  const running = worker.run();
  await eventually('all are done', async () => (await client.len('{acme}.orders')) + (await client.len('{acme}.mails')) === 0);
  worker.stop();
  await running;
  assert.deepEqual(seen, ['4', '1', '2', '3']);
}

describe('a server of its own', () => works(SINGLE, () => startServer()));

describe('a cluster', () =>
  works(CLUSTER, async () => {
    const server = await startServer({ 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1' });
    const node = createClient({ url: server.url });
    await node.connect();
    await node.sendCommand(['CLUSTER', 'ADDSLOTS', ...Array.from({ length: 16_384 }, (_, slot) => String(slot))]);
    await eventually('the cluster is up', async () => (await node.clusterInfo()).includes('cluster_state:ok'));
    node.destroy();
    return server;
  }));

describe('Sentinel', () =>
  works(SENTINEL, async () => {
    const master = await startServer();
    const sentinel = await startSentinel(master);
    return { ...sentinel, stop: () => Promise.all([master.stop(), sentinel.stop()]).then(() => {}) };
  }));

describe('a server that is not there, or refuses', () => {
  const patterns: [string, (url: string) => AnyRedis][] = [
    ['redis', (url) => createClient({ url })],
    ['ioredis', (url) => new Redis(url, { lazyConnect: true })],
  ];
  for (const [name, pattern] of patterns) {
    test(`a worker with ${name} waits for its server`, async () => {
      const port = await freePort();
      const entries: LogEntry[] = [];
      const worker = new Worker(pattern(`redis://127.0.0.1:${port}`), 'orders', () => {}, { log: (entry) => entries.push(entry) });
      const running = worker.run();
      await eventually('it has tried', () => entries.filter(({ text }) => text === 'pulls again').length > 2);
      const server = await startServer({ port: `${port}` });
      try {
        const client = createClient({ url: `redis://127.0.0.1:${port}` });
        await client.connect();
        const queue = new Client(client);
        await eventually('it waits', async () => (await queue.info('orders')).blockedClients === 1);
        client.destroy();
        worker.stop();
        await running;
      } finally {
        await server.stop();
      }
    });

    test(`a worker with ${name} and a wrong password fails`, async () => {
      const server = await startServer({ requirepass: 'right' });
      try {
        const worker = new Worker(pattern(`redis://default:wrong@127.0.0.1:${server.port}`), 'orders', () => {}, { log: () => {} });
        await assert.rejects(worker.run(), /WRONGPASS/);
      } finally {
        await server.stop();
      }
    });
  }
});
