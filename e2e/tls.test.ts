import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { mustRun, run, until } from './support/run.ts';

/** Certificates that the platform issues itself, and who gets them. */

const hello = fileURLToPath(new URL('../examples/helloworld-nodejs', import.meta.url));
const image = 'localhost/hello';

describe('TLS with the platform’s own authority', { skip: withoutKubectl }, () => {
  let platform: TestPlatform;
  let caFile = '';
  before(async () => {
    platform = await startPlatform();
    await platform.dormouse(['build', hello, '-t', image]);
    await configure({ 'external-domain-tls': 'Enabled', 'autocreate-cluster-domain-claims': 'true' });
  });
  after(() => platform[Symbol.asyncDispose]());

  const configure = (data: Record<string, string>) =>
    platform.kubectl(['patch', 'configmap', 'config-network', '-n', 'knative-serving', '--type=merge', '-p', JSON.stringify({ data })]);
  const service = (name: string, annotations: Record<string, string> = {}, spec: object = {}) => ({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name, annotations },
    spec: { template: { spec: { containers: [{ image, env: [{ name: 'TARGET', value: name }] }] } }, ...spec },
  });
  const read = (what: string, path: string, namespace = 'default') =>
    platform.kubectl(['get', ...what.split(' '), '-n', namespace, '-o', `jsonpath=${path}`]);
  const ready = (name: string, scheme = 'https') =>
    until(`${name} is ready with ${scheme}`, async () => {
      const [state, url = ''] = (await read(`ksvc ${name}`, '{.status.conditions[?(@.type=="Ready")].status} {.status.url}')).split(' ');
      return state === 'True' && url.startsWith(`${scheme}://`) ? url : undefined;
    });
  /** The answer to a request to this host, whose certificate must be the authority's. */
  const curl = (host: string, path = '/') => {
    const port = platform.port('https');
    const args = [
      '-sS',
      '--max-time',
      '20',
      '--cacert',
      caFile,
      '--resolve',
      `${host}:${port}:127.0.0.1`,
      `https://${host}:${port}${path}`,
    ];
    return mustRun('curl', args);
  };

  test('a service’s URL is https; so is that of a tag; the authority is there for clients to trust', async () => {
    await platform.apply(service('safe', {}, { traffic: [{ latestRevision: true, percent: 100, tag: 'now' }] }));
    const url = await ready('safe');
    assert.equal(url, `https://safe.default.localhost:${platform.port('https')}`);
    caFile = join(platform.dataDir, 'services-ca.crt');
    await writeFile(caFile, Buffer.from(await read('secret ca-key-pair', '{.data.tls\\.crt}', 'cert-manager'), 'base64'));
    assert.equal(await curl('safe.default.localhost'), 'Hello safe!\n');
    assert.equal(await curl('now-safe.default.localhost'), 'Hello safe!\n');
    assert.equal(await read('route safe', '{.status.conditions[?(@.type=="CertificateProvisioned")].status}'), 'True');
    assert.match(await platform.kubectl(['get', 'kcert']), /^NAME\s+READY\s+REASON\n(route-\S+\s+True\s*\n){2}$/);
  });

  test('one that is to be redirected leads plain requests to its own port', async () => {
    await platform.apply(service('led', { 'networking.knative.dev/http-protocol': 'redirected' }));
    await ready('led');
    const head = await until('the redirect', async () => {
      const { stdout } = await run('curl', ['-sSI', '-H', 'Host: led.default.localhost', platform.gatewayUrl]);
      return stdout.startsWith('HTTP/1.1 301 ') ? stdout : undefined;
    });
    assert.match(head, new RegExp(`\\r\\nLocation: https://led\\.default\\.localhost:${platform.port('https')}/\\r\\n`, 'i'));
  });

  test('one that refuses has none; a domain mapped to it has its own', async () => {
    await platform.apply(service('bare', { 'networking.knative.dev/disable-external-domain-tls': 'true' }));
    await ready('bare', 'http');
    await platform.apply({
      apiVersion: 'serving.knative.dev/v1beta1',
      kind: 'DomainMapping',
      metadata: { name: 'www.example.org' },
      spec: { ref: { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'bare' } },
    });
    await platform.kubectl(['wait', 'domainmapping/www.example.org', '--for=condition=Ready', '--timeout=60s']);
    await until('https', async () =>
      (await read('domainmapping www.example.org', '{.status.url}')).startsWith('https://') ? true : undefined,
    );
    assert.equal(await curl('www.example.org'), 'Hello bare!\n');
    const { code } = await run('curl', [
      '-sS',
      '--cacert',
      caFile,
      '--resolve',
      `bare.default.localhost:${platform.port('https')}:127.0.0.1`,
      `https://bare.default.localhost:${platform.port('https')}`,
    ]);
    assert.notEqual(code, 0);
  });

  test('a chosen namespace has one for all its services, and theirs go', async () => {
    await configure({ 'namespace-wildcard-cert-selector': 'matchLabels: {kubernetes.io/metadata.name: default}' });
    await until('one certificate for all', async () => {
      const names = (await read('kcert', '{.items[*].metadata.name}')).split(' ');
      return names.includes('default.localhost') && names.every((name) => !name.startsWith('route-')) ? true : undefined;
    });
    await ready('safe');
    assert.equal(await curl('safe.default.localhost'), 'Hello safe!\n');
    await configure({ 'namespace-wildcard-cert-selector': '' });
    await until('their own again', async () => {
      const names = (await read('kcert', '{.items[*].metadata.name}')).split(' ');
      return names.filter((name) => name.startsWith('route-')).length === 3 ? true : undefined;
    });
  });

  test('a Secret that was deleted is issued again; an authority of one’s own takes over', async () => {
    await ready('safe');
    const name = await read('king safe', '{.spec.tls[0].secretName}');
    const serial = () => read(`secret ${name} --ignore-not-found`, '{.metadata.uid}{.data.tls\\.crt}');
    const first = await serial();
    await platform.kubectl(['delete', 'secret', name]);
    const second = await until('a new one', async () => ((await serial()) === '' || (await serial()) === first ? undefined : serial()));
    const key = join(platform.dataDir, 'own.key');
    caFile = join(platform.dataDir, 'own.crt');
    await mustRun('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      caFile,
      '-days',
      '30',
      '-subj',
      '/CN=own',
    ]);
    const manifest = await platform.kubectl([
      'create',
      'secret',
      'tls',
      'ca-key-pair',
      '-n',
      'cert-manager',
      `--cert=${caFile}`,
      `--key=${key}`,
      '--dry-run=client',
      '-o',
      'json',
    ]);
    await platform.apply(JSON.parse(manifest) as object);
    await until('signed by it', async () => ((await serial()) === second ? undefined : true));
    await until('served', async () => {
      const port = platform.port('https');
      const { stdout } = await run('curl', [
        '-sS',
        '--cacert',
        caFile,
        '--resolve',
        `safe.default.localhost:${port}:127.0.0.1`,
        `https://safe.default.localhost:${port}`,
      ]);
      return stdout === 'Hello safe!\n' ? true : undefined;
    });
  });

  test('inside the cluster names get certificates too, and pods call them by https', async () => {
    const client = { name: 'c', image, command: ['node', '-e', 'setInterval(() => {}, 1000)'] };
    const spec = { terminationGracePeriodSeconds: 0, containers: [client] };
    const inner = service('inner');
    await platform.apply(
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'client' }, spec },
      { ...inner, metadata: { name: 'inner', labels: { 'networking.knative.dev/visibility': 'cluster-local' } } },
    );
    await platform.waitForPod('client');
    await ready('inner', 'http');
    await configure({ 'cluster-local-domain-tls': 'Enabled' });
    assert.equal(await ready('inner'), 'https://inner.default.svc.cluster.local');
    const address = () => read('ksvc safe', '{.status.address.url}');
    await until('https', async () => ((await address()) === 'https://safe.default.svc.cluster.local' ? true : undefined));
    assert.equal(await ready('safe'), `https://safe.default.localhost:${platform.port('https')}`);
    const trusted = Buffer.from(await read('secret knative-selfsigned-ca', '{.data.tls\\.crt}', 'cert-manager'), 'base64').toString();
    assert.equal(trusted, await readFile(caFile, 'utf8'));
    const ca = JSON.stringify(trusted);
    const fromPod = (url: string) => {
      const { protocol } = new URL(url);
      const program = `require('node:${protocol.slice(0, -1)}').get('${url}', { ca: ${ca} }, (answer) => answer.pipe(process.stdout))`;
      return platform.tryKubectl(['exec', 'client', '--', 'node', '-e', program]);
    };
    const names = ['inner.default', 'inner.default.svc', 'inner.default.svc.cluster.local', 'safe.default.svc.cluster.local'];
    for (const name of names) assert.equal((await fromPod(`https://${name}/`)).stdout, `Hello ${name.split('.')[0]}!\n`, name);
    assert.equal((await fromPod('http://inner.default/')).stdout, 'Hello inner!\n');
    assert.notEqual((await fromPod('https://inner-00001.default/')).code, 0);
    const forged = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-H', 'Host: inner.default', platform.gatewayUrl]);
    assert.equal(forged.stdout, '404');
    await configure({ 'cluster-local-domain-tls': 'Disabled' });
    assert.equal(await ready('inner', 'http'), 'http://inner.default.svc.cluster.local');
  });

  test('switched off, the URLs are plain again and the certificates gone', async () => {
    await configure({ 'external-domain-tls': 'Disabled' });
    await ready('safe', 'http');
    await until('no certificates', async () => ((await read('kcert', '{.items[*].metadata.name}')) === '' ? true : undefined));
  });
});
