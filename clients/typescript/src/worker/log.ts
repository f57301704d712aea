// What a worker reports.

import { inspect } from 'node:util';

/** One thing that happened, to the worker or to a message. */
export interface LogEntry {
  level: 'debug' | 'info' | 'warn' | 'error';
  text: string;
  queue?: string;
  id?: string;
  retryCount?: number;
  error?: unknown;
}

/** Is called with each entry. */
export type Log = (entry: LogEntry) => void;

/** Writes a line of JSON to standard error for each entry, without those for debugging. */
export const logLines: Log = (entry) => {
  if (entry.level === 'debug') return;
  const error = entry.error === undefined ? undefined : errorText(entry.error);
  console.error(JSON.stringify({ time: new Date(), ...entry, error }));
};

/** What is said of an error in logs and as the reason of a return: `no stock`, `TypeError: x is not a function`. */
export function errorText(error: unknown): string {
  if (error instanceof Error) return String(error).replace(/^Error: /, '');
  return typeof error === 'string' ? error : inspect(error);
}
