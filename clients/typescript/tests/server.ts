// Servers for the tests.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';

const DEADLINE_MS = 20_000;

export interface TestServer {
  port: number;
  url: string;
  stop(): Promise<void>;
}

/** Starts the server that MQ_SERVER names with the module that MQ_MODULE names, and these settings. */
export async function startServer(settings: Record<string, string> = {}): Promise<TestServer> {
  const { MQ_MODULE = '' } = process.env;
  const port = Number(settings['port'] ?? (await freePort()));
  const all = { save: '', ...settings, loadmodule: MQ_MODULE };
  return start(port, () => Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]), settings['requirepass']);
}

/** Starts a Sentinel for one master, `mq`. */
export async function startSentinel(master: TestServer): Promise<TestServer> {
  return start(await freePort(), async (folder) => {
    const file = join(folder, 'sentinel.conf');
    await writeFile(file, `sentinel monitor mq 127.0.0.1 ${master.port} 1\n`);
    return [file, '--sentinel'];
  });
}

async function start(
  port: number,
  argumentsIn: (folder: string) => string[] | Promise<string[]>,
  password?: string,
): Promise<TestServer> {
  const { MQ_SERVER = 'redis-server' } = process.env;
  const folder = await mkdtemp(join(tmpdir(), 'redis-mq-typescript-'));
  const common = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--logfile', 'server.log'];
  const server = spawn(MQ_SERVER, [...(await argumentsIn(folder)), ...common], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.kill()) await once(server, 'exit');
    await rm(folder, { recursive: true });
  };
  const url = `redis://127.0.0.1:${port}`;
  try {
    await eventually('the server answers', async () => {
      if (server.exitCode !== null) throw new Error(`${server.spawnargs.join(' ')} ended with status ${server.exitCode}`);
      return answers(url, server.pid, password);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, url, stop };
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

/** Waits until something holds. */
export async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`never came: ${what}`);
    await sleep(10);
  }
}

/** Whether this process answers there: another test's server may have taken the port meanwhile. */
async function answers(url: string, pid: number | undefined, password = ''): Promise<boolean> {
  const client = createClient({ url, password, socket: { reconnectStrategy: false } }).on('error', () => {});
  try {
    await client.connect();
    return (await client.info('server')).includes(`process_id:${pid}\r`);
  } catch {
    return false;
  } finally {
    if (client.isOpen) client.destroy();
  }
}
