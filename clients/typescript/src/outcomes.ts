// What a handler throws to say what becomes of its message, beside done (it returns) and failed (any other error).

/** The message comes back after so many milliseconds, counted as a retry. */
export class Retry extends Error {
  override readonly name = 'Retry';

  /** @param after milliseconds; undefined: the queue's backoff */
  constructor(
    readonly after: number | undefined,
    reason = '',
  ) {
    super(reason);
  }
}

/** The message comes back at once, behind all that wait, and that is not counted: this worker can't process it now, and another can. */
export class Release extends Error {
  override readonly name = 'Release';
}

/** The message can never be processed: it goes to the dead-letter queue, with this reason. */
export class Dead extends Error {
  override readonly name = 'Dead';
}
