import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, credentials, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import { buildAndPushPhp, withoutPhpImage } from './support/php-image.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { mustRun, until } from './support/run.ts';

/** Every example as its README says: built, its manifest deployed as it stands, and called. */

const examples = fileURLToPath(new URL('../examples', import.meta.url));

const timezoneErrors: readonly (readonly [query: string, answer: string])[] = [
  ['/', 'Error: Timezone not provided'],
  ['/?timezone=', 'Error: Timezone cannot be empty'],
  ['/?timezone=%20', 'Error: Timezone cannot be empty'],
  ['/?timezone=Mars/Olympus', 'Error: Invalid timezone value'],
];

describe('the examples', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform[Symbol.asyncDispose]());

  const deploy = async (name: string, image: string) => {
    await platform.dormouse(['build', join(examples, name), '-t', image]);
    await platform.dormouse(['deploy', '-f', join(examples, name, 'service.yaml')]);
  };
  const curl = async (service: string, path = '/') =>
    (await mustRun('curl', ['--silent', '--show-error', '-H', `Host: ${service}.default.localhost`, platform.gatewayUrl + path])).trim();

  /** What the activity asks for, whichever language answers. */
  const checkTimezone = async (service: string) => {
    for (const [path, answer] of timezoneErrors) assert.equal(await curl(service, path), answer);
    for (const [zone, offsetHours] of [
      ['UTC', 0],
      ['Asia/Tokyo', 9],
    ] as const) {
      const answer = await curl(service, `/?timezone=${zone}`);
      const [, date, time] =
        /^Current date and time for (?:UTC|Asia\/Tokyo) is (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)$/.exec(answer) ?? assert.fail(answer);
      const shown = Date.parse(`${date}T${time}Z`) - offsetHours * 3_600_000;
      assert.ok(Math.abs(Date.now() - shown) < 60_000, `${answer} is the time there`);
    }
  };

  test('each has a README and what it takes to be deployed', async () => {
    for (const name of await readdir(examples)) {
      const files = await readdir(join(examples, name));
      for (const file of ['README.md', 'service.yaml']) assert.ok(files.includes(file), `${name}/${file}`);
      assert.match(await readFile(join(examples, name, 'README.md'), 'utf8'), new RegExp(`examples/${name}\\b`));
    }
  });

  test('helloworld-nodejs greets', async () => {
    await deploy('helloworld-nodejs', 'gcr.io/knative-samples/helloworld-nodejs');
    assert.equal(await curl('helloworld-nodejs'), 'Hello Knative NodeJS App!');
  });

  test('autoscale answers as the Go sample does', async () => {
    await deploy('autoscale', 'gcr.io/knative-samples/autoscale-go:0.1');
    const answer = await curl('autoscale-app', '/?sleep=20&prime=10000&bloat=5');
    assert.match(answer, /^Slept for \d+\.\d\d milliseconds\.\nThe largest prime less than 10000 is 9973\.\nAllocated 5 Mb of memory\.$/);
    assert.equal(await curl('autoscale-app', '/?bloat=x'), 'bloat must be a whole number from 0 to 4000');
  });

  test('timezone: the activity in TypeScript', async () => {
    await deploy('timezone', 'localhost:5000/timezone');
    await checkTimezone('timezone');
  });

  test('timezone-php: the activity in PHP, built from its Dockerfile and pushed', { skip: withoutPhpImage }, async () => {
    const name = `localhost:${platform.port('registry')}/timezone-php`;
    await buildAndPushPhp(join(platform.dataDir, 'buildah'), join(examples, 'timezone-php'), name);
    await platform.dormouse(['image', 'tag', name, 'localhost:5000/timezone-php']);
    await platform.dormouse(['deploy', '-f', join(examples, 'timezone-php', 'service.yaml')]);
    await checkTimezone('timezone-php');
  });

  test('websocket answers in capitals, and refuses what it has no room for', async () => {
    await deploy('websocket', 'localhost:5000/websocket');
    const socket = new WebSocket(`ws://127.0.0.1:${platform.port('http')}/`, { headers: { host: 'websocket.default.localhost' } });
    const answers: string[] = [];
    const closed = new Promise<number>((resolve, reject) => {
      socket.on('open', () => ['hello', 'and again', 'x'.repeat(200)].forEach((text) => socket.send(text)));
      socket.on('message', (message) => answers.push(String(message as Buffer)));
      socket.on('close', resolve);
      socket.on('error', reject);
    });
    assert.equal(await closed, 1009);
    assert.deepEqual(answers, ['HELLO', 'AND AGAIN']);
  });

  test('grpc: calls and streams, from a gRPC client and from curl', async () => {
    await deploy('grpc', 'localhost:5000/grpc');
    const client = new Client(`127.0.0.1:${platform.port('http')}`, credentials.createInsecure(), {
      'grpc.default_authority': 'grpc.default.localhost',
    });
    // Messages with one text, as in hello.proto.
    const encode = (text: string) => Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]);
    const decode = (bytes: Buffer) => bytes.subarray(2).toString();
    const greeting = await new Promise((resolve, reject) => {
      client.makeUnaryRequest('/hello.Greeter/Greet', encode, decode, 'World', (error, text) =>
        error === null ? resolve(text) : reject(error),
      );
    });
    assert.equal(greeting, 'Hello World!');
    const talk = client.makeBidiStreamRequest('/hello.Greeter/GreetAll', encode, decode);
    for (const name of ['Ann', 'Bob']) {
      talk.write(name);
      assert.deepEqual(await once(talk, 'data'), [`Hello ${name}!`]);
    }
    talk.end();
    const { code } = await new Promise<StatusObject>((resolve) => talk.resume().once('status', resolve));
    assert.equal(code, status.OK);
    const unknown = await new Promise<ServiceError | null>((resolve) => client.makeUnaryRequest('/x.Y/Z', encode, decode, '', resolve));
    assert.equal(unknown?.code, status.UNIMPLEMENTED);
    client.close();
    // A client of HTTP/1.1 reaches the same container; the outcome is in the trailers.
    const host = ['-H', 'Host: grpc.default.localhost'];
    for (const version of ['--http1.1', '--http2-prior-knowledge']) {
      const url = `${platform.gatewayUrl}/hello.Greeter/Greet`;
      const head = await mustRun('curl', ['--silent', '--show-error', '-i', version, ...host, '-X', 'POST', url]);
      assert.match(head, /^HTTP\/(1\.1 200 OK|2 200 ?)\r\n[^]*grpc-status: 0/);
    }
  });

  test('the gateway writes a line for every request while Knative is configured so', async () => {
    const template = '{{.Request.Proto}} {{.Request.URL.Path}} {{.Response.Code}} {{.Revision.Service}} {{.Revision.Name}}';
    const data = { 'logging.enable-request-log': 'true', 'logging.request-log-template': template };
    const patch = ['-n', 'knative-serving', 'patch', 'configmap', 'config-observability', '--type=merge', '-p'];
    await platform.kubectl([...patch, JSON.stringify({ data })]);
    await until('a line of the request log', async () => {
      await curl('helloworld-nodejs', '/logged');
      const log = await readFile(join(platform.dataDir, 'logs', 'gateway.log'), 'utf8');
      return log.includes('HTTP/1.1 /logged 200 helloworld-nodejs helloworld-nodejs-00001\n') ? true : undefined;
    });
  });

  test('sidecar: two containers share a volume', async () => {
    await deploy('sidecar', 'localhost:5000/sidecar');
    // The app may be ready before its sidecar has written.
    await until('a word of the sidecar', async () =>
      /^The sidecar says it is \d{4}-\d\d-\d\dT/.test(await curl('sidecar')) ? true : undefined,
    );
  });
});
