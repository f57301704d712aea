// The connection behind a client of the package `redis` (node-redis).

import { clientId, OPENING_MS, type Connection, type OwnConnection, type Reply, type Word } from './connection.js';
import { within } from './within.js';

/** What is needed of a client of `redis` 5 or 6: `createClient`, `createClientPool`, `createCluster` or `createSentinel`. */
export interface NodeRedisClient {
  sendCommand(...parameters: never[]): unknown;
}

type Send = (words: Word[], key?: string) => Promise<Reply>;

interface Methods {
  sendCommand(...parameters: unknown[]): Promise<Reply>;
  duplicate?(overrides: object): Methods;
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  options?: { socket?: object };
  getSlotRandomNode?: unknown;
  acquire?: unknown;
}

// By the first byte of their replies: bulk strings as buffers, because payloads are bytes; maps as arrays, because names of headers are.
const OPTIONS = { typeMapping: { 0x24: Buffer, 0x25: Array, 0x3a: Number } };

// Reconnecting and repeating is left to the worker, and so are time-outs, which have to exceed BLOCK. The one of a command that waits to be
// written would also cost an AbortSignal for each.
const OWN_OPTIONS = { ...OPTIONS, timeout: undefined };
const OVERRIDES = { disableOfflineQueue: true, maxCommandRediscovers: 0 };
const SOCKET_OVERRIDES = { reconnectStrategy: false, socketTimeout: undefined };

export function isNodeRedis(redis: object): redis is NodeRedisClient {
  return typeof (redis as Partial<NodeRedisClient>)?.sendCommand === 'function';
}

export function fromNodeRedis(redis: NodeRedisClient): Connection {
  const client = redis as unknown as Methods;
  return { send: sender(client, OPTIONS), open: () => open(client) };
}

function sender(client: Methods, options: object): Send {
  if (isCluster(client)) return (words, key) => client.sendCommand(key, false, words, options);
  if (typeof client.acquire === 'function') return (words) => client.sendCommand(false, words, options);
  return (words) => client.sendCommand(words, options);
}

function isCluster(client: Methods): boolean {
  return typeof client.getSlotRandomNode === 'function';
}

async function open(origin: Methods): Promise<OwnConnection> {
  if (!origin.duplicate) throw new TypeError('a worker needs a client that has duplicate(): no pool, and Sentinel from redis 6 on');
  const client = origin.duplicate({ ...OVERRIDES, socket: { ...origin.options?.socket, ...SOCKET_OVERRIDES } });
  client.on('error', () => {}); // every command that was not answered rejects with it
  const close = (): void => {
    (async () => client.destroy())().catch(() => {}); // it fails if the client is closed already
  };
  const send = sender(client, OWN_OPTIONS);
  const connect = async (): Promise<number | undefined> => {
    await client.connect();
    return isCluster(client) ? undefined : clientId(send);
  };
  try {
    return { send, close, id: await within(OPENING_MS, connect()) };
  } catch (error) {
    close();
    throw error;
  }
}
