import { Agent, request } from 'node:http';

/** Sends requests until it has had `total` answers; tells its parent what came: `{ done, failures, byRevision }`. */
const [port, total, connections] = process.argv.slice(2).map(Number) as [number, number, number];
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const failures: string[] = [];
const byRevision: Record<string, number> = {};
let sent = 0;
let done = 0;

function next(): void {
  if (sent >= total) return;
  const serial = ++sent;
  const post = serial % 3 === 0;
  const content = post ? 'c'.repeat(serial % 5000) : '';
  const headers = { host: 'soak.default.localhost', ...(post ? { 'content-length': content.length } : {}) };
  const outgoing = request({ port, host: '127.0.0.1', agent, method: post ? 'POST' : 'GET', path: `/${serial}`, headers }, (response) => {
    let text = '';
    response.setEncoding('latin1');
    response.on('data', (part: string) => (text += part));
    response.on('end', () => {
      const revision = text.slice(0, text.indexOf('/'));
      if (response.statusCode !== 200 || !text.endsWith(` ${content}`))
        failures.push(`${serial}: ${response.statusCode} ${text.slice(0, 100)}`);
      else byRevision[revision] = (byRevision[revision] ?? 0) + 1;
      finish();
    });
    response.on('error', fail);
  });
  let failed = false;
  const fail = (error: Error) => {
    if (failed) return;
    failed = true;
    failures.push(`${serial}: ${post ? 'POST' : 'GET'} ${error.message}`);
    finish();
  };
  outgoing.on('error', fail);
  outgoing.end(content);
}

function finish(): void {
  done++;
  if (done % 1000 === 0) process.send?.({ done, failures, byRevision });
  if (done === total) {
    process.send?.({ done, failures, byRevision, end: true });
    process.disconnect();
    agent.destroy();
    return;
  }
  next();
}

for (let index = 0; index < connections; index++) next();
