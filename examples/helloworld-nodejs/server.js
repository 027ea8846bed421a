// Answers "Hello <TARGET>!" on PORT, as Knative's helloworld sample does.
import { createServer } from 'node:http';

const target = process.env.TARGET ?? 'NOT SPECIFIED';
const port = Number(process.env.PORT ?? 8080);

createServer((request, response) => {
  console.log(`${request.method} ${request.url}`);
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`Hello ${target}!\n`);
}).listen(port, () => console.log(`listening on port ${port}`));
