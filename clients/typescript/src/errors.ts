// Errors of the server that a program can act on, by the first word of its reply, and which of them end by themselves.

/** The server refused a command. The message is the server's. */
export class MqError extends Error {
  /** The first word of the server's reply, as `NOTFOUND`. */
  readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = codeOf(this) ?? '';
  }
}

/** `NOTFOUND`: no message with this id is in flight or waits for its retry. It may be acknowledged already. */
export class NotFoundError extends MqError {}

/** `BADRECEIPT`: this delivery is over. Another consumer holds the message, or it will be delivered again. */
export class InvalidReceiptError extends MqError {}

/** `QUEUEFULL`, `DEDUPFULL`: the queue holds as many messages, or deduplication keys, as its settings allow. */
export class QueueFullError extends MqError {}

/** `ERR`: wrong arguments. The message names the argument and the valid choices. */
export class InvalidArgumentError extends MqError {}

/** `WRONGTYPE`: one of the queue's keys was written by something else. */
export class WrongTypeError extends MqError {}

/** `TRYAGAIN`: the queue's slot is being moved to another node of the cluster. */
export class TryAgainError extends MqError {}

/** `CORRUPT`: a stored record can't be read. A pull has set it aside, and the next one goes on. */
export class CorruptError extends MqError {}

/** `publish` got no answer in time. The message may have been pushed. `cause` is the error of the last attempt. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

const TYPES: Record<string, typeof MqError> = {
  NOTFOUND: NotFoundError,
  BADRECEIPT: InvalidReceiptError,
  QUEUEFULL: QueueFullError,
  DEDUPFULL: QueueFullError,
  ERR: InvalidArgumentError,
  WRONGTYPE: WrongTypeError,
  TRYAGAIN: TryAgainError,
  CORRUPT: CorruptError,
};

const TEMPORARY = new Set(
  'BUSY CLUSTERDOWN LOADING MASTERDOWN MISCONF NOREPLICAS OOM READONLY TRYAGAIN UNBLOCKED'.split(' '),
);

// The server is not, or no longer, the master.
const ELSEWHERE = new Set('MASTERDOWN READONLY UNBLOCKED'.split(' '));

/** The first word of a server's reply; undefined for errors that are none, as a lost connection. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? /^[A-Z]{2,}(?= |$)/.exec(error.message)?.[0] : undefined;
}

/** An error of the Redis client as one of the types above; all others as they are. */
export function typed(error: unknown): unknown {
  const type = TYPES[codeOf(error) ?? ''];
  if (!type || !(error instanceof Error) || error.message.startsWith('ERR unknown command')) return error;
  return new type(error.message, { cause: error });
}

/** Whether the same command may succeed later: the connection was lost, or the server refuses it for a time. */
export function isTemporary(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined ? !(error instanceof TypeError) : TEMPORARY.has(code);
}

/** Whether the next attempt needs another connection: this one is broken, or leads to a server that is not the master. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || ELSEWHERE.has(code);
}
