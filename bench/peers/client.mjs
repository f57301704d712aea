// A producer or a consumer of one system, with that system's own client; run by peers.py.
//
//   node client.mjs SYSTEM PORT ROLE COUNT BATCH [RATE]
//
// Roles: `produce` pushes COUNT messages, BATCH at a time; `pace` pushes them at RATE a second; `consume` takes and
// acknowledges COUNT messages. Prints lines of JSON: {"ready": true} when connected, then, in nanoseconds of the clock
// that all processes of the machine share, when the first message was sent or the last one acknowledged.
import { systems } from './systems.mjs';

const [name, port, role, count, batch, rate] = process.argv.slice(2).map((word, at) => (at === 0 || at === 2 ? word : Number(word)));
const now = () => process.hrtime.bigint();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// 100 bytes that begin with the time of the push.
const payload = () => `${now()} `.padEnd(100, 'x');

async function produce(system) {
  say({ ready: true });
  const started = now();
  for (let sent = 0; sent < count; sent += batch) {
    await system.push(Array.from({ length: Math.min(batch, count - sent) }, payload));
  }
  say({ started: Number(started), ended: Number(now()) });
}

// At a steady rate, whatever the server does meanwhile: a slow reply delays no later push.
async function pace(system) {
  say({ ready: true });
  const started = now();
  const pushes = [];
  // For sleeping less than a millisecond, which timers cannot.
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (pushes.length < count) {
    const elapsed = Number(now() - started) / 1e6;
    const due = Math.min(count, Math.floor((elapsed / 1000) * rate));
    while (pushes.length < due) pushes.push(system.push([payload()]));
    await new Promise(setImmediate);
    Atomics.wait(never, 0, 0, Math.min(1, Math.max(0, ((due + 1) / rate) * 1000 - elapsed)));
  }
  await Promise.all(pushes);
  say({ started: Number(started), ended: Number(now()) });
}

async function consume(system) {
  const latencies = [];
  let acknowledged = 0;
  await new Promise((resolve, reject) => {
    // Returns whether this was the last one.
    const delivered = (text) => {
      latencies.push(Number(now() - BigInt(text.slice(0, text.indexOf(' ')))) / 1e6);
      return latencies.length === count;
    };
    const done = (messages = 1) => {
      acknowledged += messages;
      if (acknowledged >= count) resolve();
      return acknowledged < count;
    };
    system.consume({ batch, delivered, done, ready: () => say({ ready: true }) }).catch(reject);
  });
  const ended = now();
  // Without the first half, in which both sides warm up.
  latencies.splice(0, count / 2);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  say({ ended: Number(ended), acknowledged, p50: at(0.5), p99: at(0.99) });
}

const system = await systems[name](port);
await { produce, pace, consume }[role](system);
process.exit(0);
