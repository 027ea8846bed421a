// Behaves as Knative's autoscale-go sample: `sleep` (milliseconds), `prime` (largest prime below n) and `bloat` (megabytes) in the
// query, done in parallel; answers with a line for each.
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const limits = { sleep: 600_000, prime: 40_000_000, bloat: 4000 };

createServer(async (request, response) => {
  const query = new URL(request.url ?? '/', 'http://localhost').searchParams;
  const values = {};
  for (const name of Object.keys(limits)) {
    const text = query.get(name);
    if (text === null) continue;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 0 || value > limits[name]) {
      response.writeHead(400, { 'content-type': 'text/plain' }).end(`${name} must be a whole number from 0 to ${limits[name]}\n`);
      return;
    }
    values[name] = value;
  }
  const results = await Promise.all([
    values.sleep > 0 ? sleep(values.sleep) : '',
    values.prime > 0 ? primes(values.prime) : '',
    values.bloat > 0 ? bloat(values.bloat) : '',
  ]);
  response.writeHead(200, { 'content-type': 'text/plain' }).end(results.join(''));
}).listen(Number(process.env.PORT ?? 8080));

async function sleep(ms) {
  const start = performance.now();
  await delay(ms);
  return `Slept for ${(performance.now() - start).toFixed(2)} milliseconds.\n`;
}

function bloat(megabytes) {
  const memory = Buffer.alloc(megabytes * 1024 * 1024, 1);
  return `Allocated ${Math.round(memory.length / 1024 / 1024)} Mb of memory.\n`;
}

/** Sieve of Eratosthenes. */
function primes(n) {
  const composite = new Uint8Array(n + 1);
  let largest = 0;
  for (let i = 2; i <= n; i += 1) {
    if (composite[i]) continue;
    largest = i;
    for (let j = i * i; j <= n; j += i) composite[j] = 1;
  }
  return largest === 0 ? `There are no primes smaller than ${n}.\n` : `The largest prime less than ${n} is ${largest}.\n`;
}
