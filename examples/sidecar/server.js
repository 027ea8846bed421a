// One program, two roles: `ROLE=clock` writes the time into a shared volume every second, else it serves what is written there.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const file = '/shared/time';

if (process.env.ROLE === 'clock') {
  const write = () => writeFileSync(file, new Date().toISOString());
  write();
  setInterval(write, 1000);
} else {
  createServer((_request, response) => {
    try {
      response.end(`The sidecar says it is ${readFileSync(file, 'utf8')}\n`);
    } catch {
      response.writeHead(503).end('The sidecar has not said anything yet.\n');
    }
  }).listen(Number(process.env.PORT ?? 8080));
}
