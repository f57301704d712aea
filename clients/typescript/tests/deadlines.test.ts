// The deadline that the commands of a connection share.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { Deadlines } from '../dist/worker/deadlines.js';

test('each answer has its own deadline', async () => {
  const awake = setInterval(() => {}, 1_000); // in a worker, the connection keeps the process running
  const deadlines = new Deadlines(200);
  const ends: string[] = [];
  const late = (name: string): Promise<void> =>
    assert.rejects(deadlines.within(new Promise(() => {})), /no reply within 200 ms/).then(() => void ends.push(name));
  const first = late('first');
  assert.equal(await deadlines.within(Promise.resolve(1)), 1);
  await assert.rejects(deadlines.within(Promise.reject(new Error('refused'))), /refused/);
  await sleep(100);
  const second = late('second');
  await first;
  assert.deepEqual(ends, ['first']);
  await second;
  clearInterval(awake);
});
