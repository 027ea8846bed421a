import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { listenHttps, type HttpsFront } from '#apiserver/front/https-server.ts';
import type { ApiServer } from '#apiserver/request.ts';
import { startTestServer } from '#apiserver/testing/server.ts';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { createAuthority, issueCertificate } from '#wire/certificates.ts';

const candidates = ['/usr/bin/kubectl', ...['1.29', '1.31', '1.33'].map((version) => `/usr/lib/google-cloud-sdk/bin/kubectl.${version}`)];
const kubectls = candidates.filter((path) => existsSync(path));

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
`;
const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, kind: Thing}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, description: what it is, properties: {size: {type: integer}}}}}}
`;
const thing = '\napiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {size: 1}\n';

let directory: string;
let server: ApiServer;
let front: HttpsFront;
let authority: { certificate: string; privateKey: string };
let adminPair: { certificate: string; privateKey: string };
let port: number;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dormouse-api-'));
  server = await startTestServer();
  authority = await createAuthority('test', 2);
  const pair = await issueCertificate(authority, { commonName: 'api', usage: 'server', days: 1, hosts: ['127.0.0.1', 'localhost'] });
  adminPair = await issueCertificate(authority, { commonName: 'admin', organizations: ['system:masters'], usage: 'client', days: 1 });
  front = await listenHttps({
    server,
    tls: { ...pair, clientAuthority: authority.certificate },
    listen: [{ host: '127.0.0.1', port: 0 }],
    ownHosts: ['127.0.0.1'],
    clock: systemClock,
    logger: silentLogger,
  });
  port = (front.addresses[0] as AddressInfo).port;
  writeFileSync(join(directory, 'kubeconfig'), kubeconfig());
});

after(async () => {
  await front[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function kubeconfig(): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': base64(authority.certificate) } },
    ],
    users: [
      { name: 'u', user: { 'client-certificate-data': base64(adminPair.certificate), 'client-key-data': base64(adminPair.privateKey) } },
    ],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

/** Runs kubectl; resolves with what it printed and its exit code. */
function run(kubectl: string, args: readonly string[], input?: string): Promise<{ output: string; code: number }> {
  const { promise, resolve } = Promise.withResolvers<{ output: string; code: number }>();
  const env = { PATH: process.env['PATH'], KUBECONFIG: join(directory, 'kubeconfig'), HOME: join(directory, 'home') };
  const child = execFile(kubectl, [...args], { env, timeout: 30_000 }, (error, stdout, stderr) =>
    resolve({ output: stdout + stderr, code: error === null ? 0 : Number(error.code ?? 1) }),
  );
  child.stdin?.end(input);
  return promise;
}

/** Runs kubectl until `end`. `seen` resolves once a line has been printed, and rejects with all of the output when none will be. */
function follow(kubectl: string, args: readonly string[]): { seen(line: string): Promise<void>; end(): void } {
  const env = { PATH: process.env['PATH'], KUBECONFIG: join(directory, 'kubeconfig'), HOME: join(directory, 'home') };
  const child = spawn(kubectl, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on('line', (line) => lines.push(line));
  return {
    async seen(line) {
      const given = AbortSignal.timeout(30_000);
      while (!lines.includes(line)) {
        assert.equal(child.exitCode, null, `kubectl ended after printing ${JSON.stringify(lines)}`);
        await once(reader, 'line', { signal: given }).catch((error: unknown) => {
          throw new Error(`${line} did not come; kubectl printed ${JSON.stringify(lines)}`, { cause: error });
        });
      }
    },
    end: () => child.kill(),
  };
}

describe('kubectl', () => {
  for (const [index, kubectl] of kubectls.entries()) {
    // A namespace each: without the cluster's controllers nobody empties one that goes.
    const n = `n${index}`;
    test(`${kubectl}: creates, applies, edits, scales, explains, deletes`, async () => {
      const ok = async (expected: RegExp, args: string, input?: string) => {
        const { output, code } = await run(kubectl, args.split(' '), input);
        assert.equal(code, 0, `kubectl ${args}: ${output}`);
        assert.match(output, expected, args);
      };
      await ok(/namespace\/n\d created/, `create namespace ${n}`);
      await ok(/deployment.apps\/web created/, `apply -n ${n} -f -`, deployment);
      await ok(/web +0\/2/, `get deploy -n ${n}`);
      await ok(/deployment.apps\/web configured/, `apply -n ${n} -f -`, deployment.replace('nginx', 'nginx:2'));
      await ok(/serverside-applied/, `apply -n ${n} --server-side --force-conflicts -f -`, deployment);
      await ok(/scaled/, `scale -n ${n} deploy web --replicas=3`);
      await ok(/image updated/, `set image -n ${n} deploy/web c=other`);
      await ok(/labeled/, `label -n ${n} deploy web a=b`);
      await ok(/patched/, `patch -n ${n} deploy web --type=json -p [{"op":"remove","path":"/metadata/labels/a"}]`);
      await ok(/^3 other$/, `get deploy web -n ${n} -o jsonpath={.spec.replicas}{"\\u0020"}{.spec.template.spec.containers[0].image}`);
      await ok(/configmap\/c created/, `create configmap c -n ${n} --from-literal=a=b`);
      await ok(/"?yes"?/, 'auth can-i create pods');
      await ok(/admin/, 'auth whoami');
      await ok(/containers/, 'explain deployment.spec.template.spec');
      await ok(/FIELD: targetPort <IntOrString>/, 'explain service.spec.ports.targetPort');
      await ok(/FIELD: limits <map\[string\]Quantity>/, 'explain pod.spec.containers.resources.limits');
      await ok(/created/, 'apply -f -', crd);
      await ok(/established|condition met/, 'wait --for=condition=established crd/things.example.com --timeout=10s');
      await ok(/thing.example.com\/t created/, `apply -n ${n} -f -`, thing);
      await ok(/what it is/, 'explain thing.spec');
      await ok(/thing.example.com\/t unchanged/, `apply -n ${n} -f -`, thing);
      await ok(/deleted/, 'delete crd things.example.com');
      await ok(/deleted/, `delete deploy web -n ${n}`);
      await ok(/deleted/, `delete namespace ${n} --wait=false`);
      await ok(
        /"Terminating"/,
        `replace --raw /api/v1/namespaces/${n}/finalize -f -`,
        JSON.stringify({ kind: 'Namespace', apiVersion: 'v1', metadata: { name: n }, spec: { finalizers: [] } }),
      );
    });

    test(`${kubectl}: follows changes with get -w`, async () => {
      await run(kubectl, ['create', 'configmap', `before-${n}`]);
      // What was there first is printed from the list: from then on no change can be missed.
      const watching = follow(kubectl, ['get', 'configmaps', '-w', '-o', 'name']);
      await watching.seen(`configmap/before-${n}`);
      await run(kubectl, ['create', 'configmap', `seen-${n}`]);
      await watching.seen(`configmap/seen-${n}`);
      watching.end();
    });

    test(`${kubectl}: is told what is wrong`, async () => {
      const invalid = await run(kubectl, ['apply', '-f', '-'], deployment.replace('image: nginx', 'imagee: nginx'));
      assert.notEqual(invalid.code, 0);
      assert.match(invalid.output, /unknown field "spec.template.spec.containers\[0\].imagee"/);
      assert.match((await run(kubectl, ['get', 'pods', 'none'])).output, /pods "none" not found/);
    });
  }
});

describe('the HTTPS front', () => {
  const agentOptions = () => ({
    host: '127.0.0.1',
    port,
    ca: authority.certificate,
    cert: adminPair.certificate,
    key: adminPair.privateKey,
  });

  function send(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Buffer,
  ): Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; headers: Record<string, unknown>; body: Buffer }>();
    const request = httpsRequest({ ...agentOptions(), method, path, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }));
    });
    request.on('error', reject);
    request.end(body);
    return promise;
  }

  test('bodies above the limit are refused with 413, declared or not', async () => {
    const big = Buffer.alloc(4 * 1024 * 1024, 32);
    for (const headers of [{ 'content-length': String(big.length) }, { 'transfer-encoding': 'chunked' }]) {
      const { status, body } = await send('POST', '/api/v1/namespaces/default/configmaps', headers, big);
      assert.equal(status, 413);
      assert.equal((JSON.parse(body.toString()) as { reason: string }).reason, 'RequestEntityTooLarge');
    }
  });

  test('long lists are compressed when asked for', async () => {
    const post = (index: number) =>
      send(
        'POST',
        '/api/v1/namespaces/default/configmaps',
        {},
        Buffer.from(JSON.stringify({ metadata: { name: `big-${index}` }, data: { a: 'x'.repeat(100_000) } })),
      );
    await Promise.all([1, 2, 3].map(post));
    const { headers, body } = await send('GET', '/api/v1/namespaces/default/configmaps', { 'accept-encoding': 'gzip' });
    assert.equal(headers['content-encoding'], 'gzip');
    assert.ok(body.length < 50_000);
    assert.equal((await send('GET', '/api/v1/namespaces/default/configmaps')).headers['content-encoding'], undefined);
  });

  test('a head that is too long or no HTTP gets a Status', async () => {
    assert.equal((await send('GET', '/api', { 'x-long': 'y'.repeat(100_000) })).status, 431);
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connectTls({ ...agentOptions() }, () => socket.write('NONSENSE\r\n\r\n'));
    socket.on('data', (data) => resolve(data.toString()));
    assert.match(await promise, /^HTTP\/1.1 400/);
    socket.destroy();
  });

  test('CONNECT tunnels to the server itself and nowhere else', async () => {
    const ask = async (target: string) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const socket = connect(port, '127.0.0.1', () => socket.write(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n`));
      socket.once('data', (data) => resolve(data.toString()));
      return { head: await promise, socket };
    };
    const refused = await ask('example.com:443');
    assert.match(refused.head, /^HTTP\/1.1 403/);
    refused.socket.destroy();
    const { head, socket } = await ask('127.0.0.1:443');
    assert.match(head, /^HTTP\/1.1 200/);
    const { promise, resolve } = Promise.withResolvers<string>();
    const tls = connectTls({ ...agentOptions(), socket }, () => tls.write('GET /version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'));
    tls.on('data', (data) => resolve(data.toString()));
    assert.match(await promise, /^HTTP\/1.1 200 OK/);
    tls.destroy();
  });

  test('an upgrade is handed to the subresource, socket and all', async () => {
    server.addSubresource({
      group: '',
      plural: 'pods',
      name: 'exec',
      verbs: ['create', 'get'],
      kind: 'PodExecOptions',
      handle: ({ parent, request }) =>
        Promise.resolve({
          status: 101,
          headers: {},
          body: {
            kind: 'upgrade',
            accept(socket, head) {
              socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: test\r\n\r\n');
              socket.write(`${parent.metadata.name ?? ''} ${request.query.get('command') ?? ''} ${Buffer.from(head).toString()}`);
              socket.on('data', (data) => socket.end(data));
            },
          },
        }),
    });
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    assert.equal((await send('POST', '/api/v1/namespaces/default/pods', {}, Buffer.from(JSON.stringify(pod)))).status, 201);
    const exchange = async (name: string) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      let seen = '';
      const socket = connectTls({ ...agentOptions() }, () => {
        const head = `POST /api/v1/namespaces/default/pods/${name}/exec?command=ls HTTP/1.1`;
        socket.write(`${head}\r\nhost: x\r\nconnection: upgrade\r\nupgrade: test\r\n\r\n`);
      });
      socket.on('data', (data) => {
        seen += data.toString();
        if (seen.includes('p ls ')) socket.write('echo');
      });
      socket.on('end', () => resolve(seen));
      return promise;
    };
    assert.match(await exchange('p'), /^HTTP\/1.1 101 [\s\S]*p ls echo$/);
    assert.match(await exchange('none'), /^HTTP\/1.1 404 [\s\S]*pods \\"none\\" not found/);
  });

  test('plain HTTP is told that this is HTTPS', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/api`);
    assert.deepEqual([response.status, await response.text()], [400, 'Client sent an HTTP request to an HTTPS server.\n']);
  });
});
