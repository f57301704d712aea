// A connection of a worker: opened when it is needed, and again after it was lost. Repeats nothing.

import type { Connection, OwnConnection, Reply, Word } from '../connection.js';
import { isLost } from '../errors.js';
import { Deadlines } from './deadlines.js';

export class Link implements Connection {
  readonly #origin: Connection;
  readonly #deadlines: Deadlines;
  readonly #onLoss: () => void;
  #connection: Promise<OwnConnection> | undefined;
  #isClosed = false;

  /**
   * @param deadline a connection that gives no reply for so many milliseconds is lost
   * @param onLoss is called when a connection was lost, and is closed
   */
  constructor(origin: Connection, deadline: number, onLoss: () => void = () => {}) {
    this.#origin = origin;
    this.#deadlines = new Deadlines(deadline);
    this.#onLoss = onLoss;
  }

  async send(words: Word[], key?: string): Promise<Reply> {
    if (this.#isClosed) throw new Error('the connection is closed');
    const opening = (this.#connection ??= this.#origin.open());
    let connection: OwnConnection | undefined;
    try {
      connection = await opening;
      return await this.#deadlines.within(connection.send(words, key));
    } catch (error) {
      if (!connection || isLost(error)) this.#drop(opening);
      throw error;
    }
  }

  open(): Promise<OwnConnection> {
    return this.#origin.open();
  }

  /** The `CLIENT ID` of the present connection. */
  async id(): Promise<number | undefined> {
    return (await this.#connection?.catch(() => undefined))?.id;
  }

  /** Closes it for good; commands that were not answered reject. */
  close(): void {
    this.#isClosed = true;
    if (this.#connection) this.#drop(this.#connection);
  }

  #drop(connection: Promise<OwnConnection>): void {
    if (this.#connection === connection) this.#connection = undefined;
    connection.then((opened) => opened.close()).then(this.#onLoss, () => {});
  }
}
