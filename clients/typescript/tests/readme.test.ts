// The examples of the README, and of docs/coming-from.md, as they stand there.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from './server.js';

// In this package, so that they find it by its name.
const FOLDER = new URL('readme/', import.meta.url);

let server: TestServer;
let files: URL[];

before(async () => {
  server = await startServer();
  const pages = ['../README.md', '../../../docs/coming-from.md'].map((page) => readFile(new URL(page, import.meta.url), 'utf8'));
  const text = (await Promise.all(pages)).join('\n');
  const examples = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(([, code = '']) => code);
  await mkdir(FOLDER, { recursive: true });
  files = examples.map((_, index) => new URL(`${index}.mjs`, FOLDER));
  await Promise.all(examples.map((code, index) => writeFile(files[index]!, code)));
});
after(() => server.stop());

function start(index: number) {
  const env = { ...process.env, REDIS_URL: server.url };
  return spawn(process.execPath, [files[index]!.pathname], { env, stdio: ['ignore', 'pipe', 'inherit'] });
}

test('an order is pushed and processed, and the worker stops', async () => {
  const push = start(0);
  assert.deepEqual(await once(push, 'exit'), [0, null]);
  const worker = start(1);
  const exit = once(worker, 'exit');
  const [line] = (await once(createInterface({ input: worker.stdout }), 'line')) as [string];
  assert.equal(line, 'order 17');
  worker.kill('SIGTERM');
  assert.deepEqual(await exit, [0, null]);
});

test('an order is pushed and processed by one program, as BullMQ would', async () => {
  const both = start(4);
  const exit = once(both, 'exit');
  const [line] = (await once(createInterface({ input: both.stdout }), 'line')) as [string];
  assert.equal(line, 'order 17');
  both.kill('SIGTERM');
  assert.deepEqual(await exit, [0, null]);
});

test('the test with the fake passes', async () => {
  assert.deepEqual(await once(start(3), 'exit'), [0, null]);
});

test('a schedule is set, and tells its next tick', async () => {
  const schedule = start(2);
  const exit = once(schedule, 'exit');
  const [line] = (await once(createInterface({ input: schedule.stdout }), 'line')) as [string];
  assert.match(line, /^next report: \d{4}-\d\d-\d\dT0[45]:30:00.000Z$/);
  assert.deepEqual(await exit, [0, null]);
});

test('no example is not run', () => {
  assert.equal(files.length, 5);
});
