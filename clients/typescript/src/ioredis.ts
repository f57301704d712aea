// The connection behind a client of the package `ioredis`.

import { clientId, OPENING_MS, type Connection, type OwnConnection, type Reply, type Word } from './connection.js';
import { within } from './within.js';

/** What is needed of a client of `ioredis` 5 or 6: `Redis` or `Cluster`. */
export interface IoredisClient {
  createBuiltinCommand(name: string): object;
}

type Command = (...words: Word[][]) => Promise<Reply>;

interface Methods {
  createBuiltinCommand(name: string): { buffer: Command };
  duplicate(...overrides: unknown[]): Methods;
  connect(): Promise<void>;
  disconnect(): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  isCluster: boolean;
}

// Reconnecting and repeating is left to the worker, and so are time-outs, which have to exceed BLOCK.
const OVERRIDES = {
  lazyConnect: true,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
  reconnectOnError: null,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: false,
  commandTimeout: undefined,
  socketTimeout: undefined,
};
const CLUSTER_OVERRIDES = { lazyConnect: true, clusterRetryStrategy: () => null, retryDelayOnFailover: 0, enableAutoPipelining: false };

export function isIoredis(redis: object): redis is IoredisClient {
  return typeof (redis as Partial<IoredisClient>)?.createBuiltinCommand === 'function';
}

export function fromIoredis(redis: IoredisClient): Connection {
  const client = redis as unknown as Methods;
  return { send: sender(client), open: () => open(client) };
}

/** Not by `callBuffer`, which loses the command's name where commands are pipelined automatically. */
function sender(client: Methods): (words: Word[]) => Promise<Reply> {
  const commands = new Map<string, Command>();
  return ([first, ...words]) => {
    const name = String(first);
    let command = commands.get(name);
    if (!command) commands.set(name, (command = client.createBuiltinCommand(name).buffer));
    return command.call(client, words);
  };
}

async function open(origin: Methods): Promise<OwnConnection> {
  const client = origin.isCluster ? origin.duplicate([], CLUSTER_OVERRIDES) : origin.duplicate(OVERRIDES);
  const send = sender(client);
  let cause: Error | undefined; // connect() itself only says that the connection is closed
  client.on('error', (error) => {
    cause = error;
  });
  const connect = async (): Promise<number | undefined> => {
    await client.connect();
    return client.isCluster ? undefined : clientId(send);
  };
  try {
    const id = await within(OPENING_MS, connect());
    return { send, close: () => client.disconnect(), id };
  } catch (error) {
    client.disconnect();
    throw cause ?? error;
  }
}
