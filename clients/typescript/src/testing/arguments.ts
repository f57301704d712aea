// The arguments of a command, taken one after the other. Refuses what the server refuses.

import type { Word } from '../connection.js';

export const YEAR_MS = 31_536_000_000;
export const LATEST_MS = 2 ** 43 - 1;
export const LARGEST = 2 ** 31 - 1;

type Shape = Record<string, (words: Arguments) => unknown>;

/** Options by name, as far as they were given. */
export type Options<S extends Shape> = { [Name in keyof S]?: ReturnType<S[Name]> };

export class Arguments {
  readonly #words: readonly Word[];
  #position = 0;

  constructor(words: readonly Word[]) {
    this.#words = words;
  }

  bytes(): Buffer {
    const word = this.#words[this.#position];
    if (word === undefined) throw new Error('ERR wrong number of arguments');
    this.#position += 1;
    return Buffer.from(word);
  }

  text(): string {
    return this.bytes().toString();
  }

  /** The name of a queue. */
  queue(): string {
    const name = this.text();
    const length = Buffer.byteLength(name);
    const isTag = /^\{[^{}]*\}$/.test(name);
    const hasTag = /^[^{}]*\{[^{}]+\}[^{}]*/.test(name);
    if (length < 1 || length > 512 || isTag || (/[{}]/.test(name) && !hasTag)) throw new Error('ERR invalid queue name');
    return name;
  }

  integer(least: number, most: number): number {
    const text = this.text();
    const number = Number(text);
    if (!/^-?\d+$/.test(text) || number < least || number > most) throw new Error(`ERR must be an integer from ${least} to ${most}`);
    return number;
  }

  /** The same, or null for no bytes. */
  integerOrNone(least: number, most: number): number | null {
    if (this.#words[this.#position]?.length !== 0) return this.integer(least, most);
    this.#position += 1;
    return null;
  }

  /** All that is left, at least one. */
  rest(): string[] {
    const texts = [this.text()];
    while (this.#position < this.#words.length) texts.push(this.text());
    return texts;
  }

  /** A number, and so many of something. */
  list<T>(most: number, read: () => T): T[] {
    return Array.from({ length: this.integer(1, most) }, read);
  }

  /** Takes this word if it comes next. */
  accept(word: string): boolean {
    const isNext = String(this.#words[this.#position] ?? '').toUpperCase() === word;
    if (isNext) this.#position += 1;
    return isNext;
  }

  /** An id with its receipt, or after IDS a number of them. */
  pairs(): { isBatch: boolean; pairs: [string, string][] } {
    if (!this.accept('IDS')) return { isBatch: false, pairs: [[this.text(), this.text()]] };
    return { isBatch: true, pairs: this.list(10_000, () => [this.text(), this.text()]) };
  }

  /** All that is left: options by name, each at most once. `nested` are pairs of which the first can be given only with the second. */
  options<S extends Shape>(shape: S, exclusive: readonly (keyof S)[][] = [], nested: readonly [keyof S, keyof S][] = []): Options<S> {
    const found: Record<string, unknown> = {};
    while (this.#position < this.#words.length) {
      const name = this.text().toUpperCase();
      const read = Object.hasOwn(shape, name) ? shape[name] : undefined;
      if (!read) throw new Error(`ERR unknown option '${name}'`);
      if (name in found) throw new Error(`ERR ${name} is given twice`);
      found[name] = read(this);
    }
    for (const names of exclusive) {
      if (names.filter((name) => String(name) in found).length > 1) throw new Error(`ERR ${names.join(' and ')} are mutually exclusive`);
    }
    for (const [inner, outer] of nested) {
      if (inner in found && !(outer in found)) throw new Error(`ERR ${String(inner)} can be given only with ${String(outer)}`);
    }
    return found as Options<S>;
  }
}

/** An option that is only there or not. */
export const flag = (): true => true;

export const integer =
  (least: number, most: number) =>
  (words: Arguments): number =>
    words.integer(least, most);

/** 1 to 256 bytes. */
export function nameOf(words: Arguments): string {
  const text = words.text();
  if (text === '' || Buffer.byteLength(text) > 256) throw new Error('ERR must be 1 to 256 bytes');
  return text;
}
