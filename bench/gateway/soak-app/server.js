'use strict';
const { createServer } = require('node:http');

// The container of the soak test: says which revision and pod it is, and gives the content back.
const name = `${process.env.K_REVISION}/${process.env.HOSTNAME}`;
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => response.end(`${name} ${Buffer.concat(parts).toString('latin1')}`));
});
server.keepAliveTimeout = 2000;
server.listen(Number(process.env.PORT ?? 8080));
