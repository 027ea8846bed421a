import { spawn, type ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const firstPort = 21_000;

/** The hello-world program as `count` plain processes at once; the time until the last one has answered, in milliseconds. */
export async function startBare(count: number): Promise<number> {
  const begin = performance.now();
  const children = Array.from({ length: count }, (_, index) => start(firstPort + index));
  try {
    await Promise.all(children.map((_, index) => answered(firstPort + index)));
    return performance.now() - begin;
  } finally {
    await Promise.all(children.map(end));
  }
}

function start(port: number): ChildProcess {
  const env = { ...process.env, PORT: String(port) };
  return spawn(process.execPath, ['examples/helloworld-nodejs/server.js'], { env, stdio: 'ignore' });
}

async function answered(port: number): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await delay(2)) {
    if (await tryOnce(port)) return;
  }
  throw new Error(`nothing answers on port ${port}`);
}

function tryOnce(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.resume();
      // Not 'end': an answer that is cut off has none.
      response.on('close', () => resolve(response.complete));
    });
    sent.on('error', () => resolve(false));
    sent.end();
  });
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
