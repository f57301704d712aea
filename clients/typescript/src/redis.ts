// Which Redis clients can be given to this package.

import type { Connection } from './connection.js';
import { fromIoredis, isIoredis, type IoredisClient } from './ioredis.js';
import { fromNodeRedis, isNodeRedis, type NodeRedisClient } from './node-redis.js';

/** A client of `redis` (client, pool, cluster or Sentinel), one of `ioredis` (client or cluster), or any other `Connection`. */
export type Redis = Connection | NodeRedisClient | IoredisClient;

/** The connection behind a Redis client. */
export function connectionOf(redis: Redis): Connection {
  if (isIoredis(redis)) return fromIoredis(redis);
  if (isNodeRedis(redis)) return fromNodeRedis(redis);
  if (typeof (redis as Partial<Connection>)?.send === 'function') return redis;
  throw new TypeError('neither a client of redis or ioredis, nor a Connection');
}
