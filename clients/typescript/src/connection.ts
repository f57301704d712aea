// What redis-mq needs of a Redis client. Knows no such client, and no command of the queue.

/** A word of a command. */
export type Word = string | Buffer;

/** A server's reply. A map may be a `Map`, an object, or an array of names and values in turn. */
export type Reply = null | number | string | Buffer | Reply[] | Map<Reply, Reply> | { [name: string]: Reply };

/** A connection to Redis or Valkey. Implement it for a Redis client that this package does not know. */
export interface Connection {
  /**
   * Sends one command and returns its reply, bulk strings as buffers. An error reply rejects with an `Error` whose message is the server's.
   *
   * @param words the command and its arguments
   * @param key the first key of the command, for clients of a cluster
   */
  send(words: Word[], key?: string): Promise<Reply>;

  /** Opens another connection to the same server, for a worker. */
  open(): Promise<OwnConnection>;
}

/** A connection that belongs to a worker. It repeats no command, and is not made again when it is lost: the worker opens another. */
export interface OwnConnection {
  send(words: Word[], key?: string): Promise<Reply>;

  /** Its `CLIENT ID`; undefined if it cannot be told, as in a cluster, which has a connection to each node. */
  readonly id: number | undefined;

  /** Closes it at once. Commands that were not answered reject. */
  close(): void;
}

/** A connection that is not open after so long is given up. */
export const OPENING_MS = 10_000;

/** The `CLIENT ID` of a connection, or undefined where the user may not ask for it. */
export async function clientId(send: (words: Word[]) => Promise<Reply>): Promise<number | undefined> {
  try {
    return Number(await send(['CLIENT', 'ID']));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return undefined;
    throw error;
  }
}
