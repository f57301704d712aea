// Replies as values of JavaScript: text, bytes, and maps, which servers and Redis clients represent in several ways.

import type { Reply } from './connection.js';

export function textOf(reply: Reply): string {
  return Buffer.isBuffer(reply) ? reply.toString() : String(reply);
}

export function bytesOf(reply: Reply): Buffer {
  return Buffer.isBuffer(reply) ? reply : Buffer.from(String(reply));
}

/** The values of a map by the names of its fields. */
export function fieldsOf(reply: Reply): Map<string, Reply> {
  const fields = new Map<string, Reply>();
  if (Array.isArray(reply)) {
    for (let index = 0; index < reply.length; index += 2) fields.set(textOf(reply[index]!), reply[index + 1]!);
  } else {
    for (const [name, value] of pairsOf(reply)) fields.set(textOf(name), value);
  }
  return fields;
}

export function arrayOf(reply: Reply): Reply[] {
  if (!Array.isArray(reply)) throw new TypeError(`expected an array from the server, got ${typeof reply}`);
  return reply;
}

/** The names and values of a map, in their order. RESP2, and modules on Redis 6, have flat arrays of names and values instead. */
export function pairsOf(reply: Reply): [Reply, Reply][] {
  if (Array.isArray(reply)) {
    return Array.from({ length: reply.length / 2 }, (_, index) => [reply[2 * index]!, reply[2 * index + 1]!]);
  }
  if (reply instanceof Map) return [...reply];
  return Object.entries(reply as { [name: string]: Reply });
}
