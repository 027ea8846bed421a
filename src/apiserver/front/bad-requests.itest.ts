import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Status } from '#apis/meta/status.ts';
import { listenHttps, type HttpsFront } from '#apiserver/front/https-server.ts';
import type { ApiServer } from '#apiserver/request.ts';
import { configMap, startTestServer } from '#apiserver/testing/server.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { createAuthority, issueCertificate, type KeyPair } from '#wire/certificates.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const json = 'application/json';
const jsonPatch = 'application/json-patch+json';
const mergePatch = 'application/merge-patch+json';
const strategicPatch = 'application/strategic-merge-patch+json';
const apply = 'application/apply-patch+yaml';
const protobuf = 'application/vnd.kubernetes.protobuf';

/** Method, path, media type, body; then the answer's code, reason, a part of its message, and the fields of its causes. */
type Row = readonly [string, string, string, string | Uint8Array, number, string, RegExp, (readonly string[])?];

const deployment = (change: object) =>
  JSON.stringify({
    metadata: { name: 'd' },
    spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [change] } } },
  });
const nested = (open: string, close: string) => open.repeat(20_000) + close.repeat(20_000);
/** Each list has the one before nine times: a few lines that would be a billion items. */
const growing = () =>
  [
    'a: &a [x]',
    ...Array.from({ length: 9 }, (_none, level) => `a${level + 1}: &a${level + 1} [${`*a${level === 0 ? '' : level},`.repeat(9)}]`),
  ].join('\n');
const envelope = (...bytes: readonly number[]) => Uint8Array.from([...Buffer.from('k8s\0'), ...bytes]);

const rows: Readonly<Record<string, Row>> = {
  'cut-off JSON': ['POST', configMaps, json, '{"metadata":{"name"', 400, 'BadRequest', /json parse error: unexpected end of JSON input/],
  'no JSON at all': ['POST', configMaps, json, 'hello', 400, 'BadRequest', /invalid character 'h' looking for beginning of value/],
  'an empty body': ['POST', configMaps, json, '', 400, 'BadRequest', /json parse error/],
  'a list for an object': ['POST', configMaps, json, '[]', 400, 'BadRequest', /cannot unmarshal array/],
  'YAML with tabs': ['POST', configMaps, 'application/yaml', 'metadata:\n\tname: a', 400, 'BadRequest', /yaml/],
  'YAML that grows': ['POST', configMaps, 'application/yaml', growing(), 400, 'BadRequest', /./],
  'protobuf without its magic': ['POST', configMaps, protobuf, '{"metadata":{}}', 400, 'BadRequest', /./],
  'protobuf cut off': ['POST', configMaps, protobuf, envelope(0x0a, 0x10, 0x01), 400, 'BadRequest', /./],
  'an unknown media type': ['POST', configMaps, 'text/plain', '{}', 415, 'UnsupportedMediaType', /media type/],
  'another kind': ['POST', configMaps, json, '{"kind":"Secret"}', 400, 'BadRequest', /kind in the data \(Secret\) does not match/],
  'another version': ['POST', configMaps, json, '{"apiVersion":"v2"}', 400, 'BadRequest', /API version in the data \(v2\) does not match/],
  'unknown fields under Strict': [
    'POST',
    `${deployments}?fieldValidation=Strict`,
    json,
    deployment({ name: 'c', imagee: 'x' }),
    400,
    'BadRequest',
    /strict decoding error: unknown field "spec\.template\.spec\.containers\[0\]\.imagee"/,
  ],
  'fields given twice, under Strict': [
    'POST',
    `${configMaps}?fieldValidation=Strict`,
    json,
    '{"metadata":{"name":"x","name":"y"}}',
    400,
    'BadRequest',
    /duplicate field "metadata\.name"/,
  ],
  'a value of the wrong type': [
    'POST',
    configMaps,
    json,
    '{"metadata":{"name":"a"},"data":{"a":5}}',
    400,
    'BadRequest',
    /cannot unmarshal number/,
  ],
  'deep JSON': ['POST', configMaps, json, `{"a":${nested('[', ']')}}`, 400, 'BadRequest', /depth/],
  'deep YAML': ['POST', configMaps, 'application/yaml', `a: ${nested('[', ']')}`, 400, 'BadRequest', /./],
  'a deep patch': ['PATCH', `${configMaps}/a`, mergePatch, `{"a":${nested('[', ']')}}`, 400, 'BadRequest', /./],
  'an invalid name': ['POST', configMaps, json, '{"metadata":{"name":"A_"}}', 422, 'Invalid', /metadata\.name/, ['metadata.name']],
  'no name': ['POST', configMaps, json, '{}', 422, 'Invalid', /name or generateName is required/, ['metadata.name']],
  'an invalid object': [
    'POST',
    deployments,
    json,
    deployment({ name: 'C', ports: [{ containerPort: 70_000 }] }),
    422,
    'Invalid',
    /Deployment\.apps "d" is invalid/,
    [
      'spec.template.spec.containers[0].name',
      'spec.template.spec.containers[0].image',
      'spec.template.spec.containers[0].ports[0].containerPort',
    ],
  ],
  'an invalid label selector': [
    'GET',
    `${configMaps}?labelSelector=a%3D%3D%3Db`,
    json,
    '',
    400,
    'BadRequest',
    /unable to parse requirement|found/,
  ],
  'an invalid field selector': [
    'GET',
    `${configMaps}?fieldSelector=spec.x%3D1`,
    json,
    '',
    400,
    'BadRequest',
    /"spec\.x" is not a known field selector: only "metadata\.name", "metadata\.namespace"/,
  ],
  'a selector in an object': [
    'POST',
    deployments,
    json,
    '{"metadata":{"name":"d"},"spec":{"selector":{"matchExpressions":[{"key":"a","operator":"In"}]},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}}',
    422,
    'Invalid',
    /matchExpressions\[0\]\.values/,
  ],
  'a JSON patch into nothing': [
    'PATCH',
    `${configMaps}/a`,
    jsonPatch,
    '[{"op":"replace","path":"/data/none/deeper","value":1}]',
    422,
    'Invalid',
    /./,
  ],
  'a JSON patch whose test fails': [
    'PATCH',
    `${configMaps}/a`,
    jsonPatch,
    '[{"op":"test","path":"/data/k","value":"x"}]',
    422,
    'Invalid',
    /./,
  ],
  'a JSON patch that is none': ['PATCH', `${configMaps}/a`, jsonPatch, '{"op":"add"}', 400, 'BadRequest', /./],
  'a merge patch that is no object': ['PATCH', `${configMaps}/a`, mergePatch, '[]', 400, 'BadRequest', /./],
  'a merge patch that breaks the object': [
    'PATCH',
    `${configMaps}/a`,
    mergePatch,
    '{"data":{"a b":"c"}}',
    422,
    'Invalid',
    /data\[a b\]/,
    ['data[a b]'],
  ],
  'a strategic patch without its merge key': [
    'PATCH',
    `${deployments}/there`,
    strategicPatch,
    '{"spec":{"template":{"spec":{"containers":[{"image":"x"}]}}}}',
    422,
    'Invalid',
    /does not contain declared merge key: name/,
  ],
  'a patch of an unknown type': ['PATCH', `${configMaps}/a`, json, '{}', 415, 'UnsupportedMediaType', /./],
  'an apply that conflicts': [
    'PATCH',
    `${configMaps}/a?fieldManager=other`,
    apply,
    'apiVersion: v1\nkind: ConfigMap\ndata: {k: z}',
    409,
    'Conflict',
    /conflict with "bad-requests/,
    ['.data.k'],
  ],
  'an apply without a manager': [
    'PATCH',
    `${configMaps}/a`,
    apply,
    'apiVersion: v1\nkind: ConfigMap',
    422,
    'Invalid',
    /fieldManager/,
    ['fieldManager'],
  ],
  'a stale resourceVersion': [
    'PUT',
    `${configMaps}/a`,
    json,
    '{"metadata":{"name":"a","resourceVersion":"1"}}',
    409,
    'Conflict',
    /the object has been modified; please apply your changes to the latest version and try again/,
  ],
  'another name than the path has': [
    'PUT',
    `${configMaps}/a`,
    json,
    '{"metadata":{"name":"b"}}',
    400,
    'BadRequest',
    /name of the object \(b\)/,
  ],
  'a resourceVersion in a new object': [
    'POST',
    configMaps,
    json,
    '{"metadata":{"name":"n","resourceVersion":"5"}}',
    400,
    'BadRequest',
    /resourceVersion should not be set/,
  ],
  'a precondition that fails': [
    'DELETE',
    `${configMaps}/a`,
    json,
    '{"preconditions":{"uid":"x"}}',
    409,
    'Conflict',
    /UID in precondition: x/,
  ],
  'a method HTTP does not know': ['BREW', configMaps, json, '', 400, 'BadRequest', /Invalid method/],
  'a method the path does not take': ['PUT', configMaps, json, '{}', 405, 'MethodNotAllowed', /./],
};

let clock: FakeClock;
let server: ApiServer;
let front: HttpsFront;
let authority: KeyPair;
let admin: KeyPair;

const headTimeoutMs = 200;

before(async () => {
  clock = new FakeClock();
  server = await startTestServer();
  authority = await createAuthority('test', 2);
  const pair = await issueCertificate(authority, { commonName: 'api', usage: 'server', days: 1, hosts: ['127.0.0.1'] });
  admin = await issueCertificate(authority, { commonName: 'admin', organizations: ['system:masters'], usage: 'client', days: 1 });
  front = await listenHttps({
    server,
    tls: { ...pair, clientAuthority: authority.certificate },
    listen: [{ host: '127.0.0.1', port: 0 }],
    ownHosts: ['127.0.0.1'],
    clock,
    logger: silentLogger,
    headTimeoutMs,
  });
  await answerTo('POST', configMaps, json, JSON.stringify(configMap('a', { k: 'v' })));
  await answerTo('POST', deployments, json, deployment({ name: 'c', image: 'i' }).replace('"d"', '"there"'));
});

after(async () => {
  await front[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function address() {
  return { host: '127.0.0.1', port: (front.addresses[0] as AddressInfo).port };
}

async function open(): Promise<TLSSocket> {
  const socket = connectTls({ ...address(), ca: authority.certificate, cert: admin.certificate, key: admin.privateKey });
  await once(socket, 'secureConnect');
  return socket;
}

/** Everything that comes until the server closes the connection. */
async function rest(socket: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of socket) parts.push(part);
  } catch {
    // Closed in the middle of what we were sending: what has come is what counts.
  }
  return Buffer.concat(parts).toString();
}

function head(method: string, path: string, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries({ host: 'x', 'user-agent': 'bad-requests/1', connection: 'close', ...headers });
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

interface Answer {
  readonly code: number;
  readonly status: Status;
}

function parsed(text: string): Answer {
  const [top = '', body = ''] = text.split('\r\n\r\n', 2);
  return { code: Number(/^HTTP\/1\.1 (\d+)/.exec(top)?.[1]), status: JSON.parse(body === '' ? '{}' : body) as Status };
}

async function answerTo(method: string, path: string, type: string, body: string | Uint8Array): Promise<Answer> {
  const socket = await open();
  const bytes = Buffer.from(body);
  socket.write(head(method, path, { 'content-type': type, 'content-length': bytes.length }));
  socket.write(bytes);
  return parsed(await rest(socket));
}

function isFailure({ code, status }: Answer, expected: number, reason: string): void {
  assert.deepEqual(
    [code, status.kind, status.apiVersion, status.status, status.code, status.reason],
    [expected, 'Status', 'v1', 'Failure', expected, reason],
    status.message,
  );
}

describe('a bad request over the wire', () => {
  for (const [name, [method, path, type, body, code, reason, message, fields]] of Object.entries(rows)) {
    test(`${name}: ${code} ${reason}`, async () => {
      const answer = await answerTo(method, path, type, body);
      isFailure(answer, code, reason);
      assert.match(answer.status.message ?? '', message);
      if (fields !== undefined)
        assert.deepEqual(
          answer.status.details?.causes?.map(({ field }) => field),
          fields,
        );
    });
  }

  test('a head that does not end is answered with 408', async () => {
    const socket = await open();
    socket.write(`GET ${configMaps} HTTP/1.1\r\nhost: x\r\nx-slow: `);
    isFailure(parsed(await rest(socket)), 408, 'Timeout');
  });

  test('a body that does not end is answered with 408, and the connection closed', async () => {
    const socket = await open();
    const answered = rest(socket);
    socket.write(head('POST', configMaps, { 'content-type': json, 'content-length': 100, expect: '100-continue' }));
    await once(socket, 'data');
    socket.write('{"metadata":');
    for (let closed = false; !closed; closed = await Promise.race([answered.then(() => true), clock.advance(30_000).then(() => false)]));
    assert.match(await answered, /HTTP\/1\.1 408 Request Timeout[^]*did not arrive within 30 seconds/);
  });

  test('a connection that says nothing, and one that stops in its handshake, are closed', async () => {
    const silent = connect(address());
    await once(silent, 'connect');
    const hello = connect(address());
    await once(hello, 'connect');
    hello.write(Buffer.from([0x16, 0x03, 0x01]));
    const both = Promise.all([rest(silent), rest(hello)]);
    for (let closed = false; !closed; closed = await Promise.race([both.then(() => true), clock.advance(headTimeoutMs).then(() => false)]));
    assert.deepEqual(await both, ['', '']);
  });

  test('huge headers, many headers and a huge path are answered with 431', async () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_none, index) => [`x-${index}`, 'y']));
    for (const request of [
      head('GET', '/api', { 'x-long': 'y'.repeat(200_000) }),
      head('GET', '/api', many),
      head('GET', `/api/${'y'.repeat(200_000)}`, {}),
    ]) {
      const socket = await open();
      socket.write(request);
      assert.equal(parsed(await rest(socket)).code, 431);
    }
  });

  test('a body of 4 MB is answered with 413 and what is allowed', async () => {
    const answer = await answerTo('POST', configMaps, json, 'x'.repeat(4 * 2 ** 20));
    isFailure(answer, 413, 'RequestEntityTooLarge');
    assert.match(answer.status.message ?? '', /3145728/);
  });

  test('bytes that are no HTTP are answered with 400', async () => {
    const socket = await open();
    socket.write(Uint8Array.from({ length: 400 }, (_none, index) => (index * 37) % 256));
    isFailure(parsed(await rest(socket)), 400, 'BadRequest');
  });

  test('after all of this it serves', async () => {
    assert.equal((await answerTo('GET', `${configMaps}/a`, json, '')).code, 200);
  });
});
