// The README's examples, as they stand there.

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
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const examples = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code = '']) => code);
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

test('the test with the fake passes', async () => {
  assert.deepEqual(await once(start(2), 'exit'), [0, null]);
});

test('the README has no example that is not run', () => {
  assert.equal(files.length, 3);
});
