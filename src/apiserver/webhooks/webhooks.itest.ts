import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { ApiServer } from '#apiserver/request.ts';
import { call, configMap, configMaps, failureOf, objectOf, startTestServer } from '#apiserver/testing/server.ts';
import { createAuthority, issueCertificate } from '#wire/certificates.ts';

interface Reviewed {
  readonly metadata: { readonly name: string };
  readonly data?: object;
}
interface Review {
  readonly apiVersion: string;
  readonly kind: string;
  readonly request: Record<string, unknown> & {
    uid: string;
    operation: string;
    object: Reviewed | null;
    oldObject: Reviewed | null;
  };
}
type Answer = Record<string, unknown>;

const configurations = '/apis/admissionregistration.k8s.io/v1';
const patchOf = (...patch: unknown[]): Answer => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
});

describe('admission webhooks', () => {
  let webhook: Server;
  let authority: { certificate: string; privateKey: string };
  let server: ApiServer;
  let reviews: Review[] = [];
  let answers: Record<string, (review: Review) => Answer | string> = {};

  before(async () => {
    authority = await createAuthority('test', 2);
    const hosts = ['127.0.0.1', 'localhost', 'hook.default.svc'];
    const pair = await issueCertificate(authority, { commonName: 'hook', usage: 'server', days: 1, hosts });
    webhook = createServer({ cert: pair.certificate, key: pair.privateKey }, (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const review = JSON.parse(Buffer.concat(parts).toString()) as Review;
        reviews.push(review);
        const path = (request.url ?? '').split('?')[0] ?? '';
        const answer = answers[path]?.(review) ?? { allowed: true };
        if (typeof answer === 'string') response.writeHead(500).end(answer);
        else response.end(JSON.stringify({ ...review, request: undefined, response: { uid: review.request.uid, ...answer } }));
      });
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => webhook.once('listening', resolve));
  });
  after(() => webhook.close());

  const url = (path: string) => ({
    url: `https://127.0.0.1:${(webhook.address() as AddressInfo).port}${path}`,
    caBundle: Buffer.from(authority.certificate).toString('base64'),
  });

  async function configure(kind: 'Mutating' | 'Validating', name: string, more: Record<string, unknown>): Promise<void> {
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['*'] }];
    const one = { name: `${name}.hooks.example.com`, sideEffects: 'None', admissionReviewVersions: ['v1'], rules, ...more };
    const body = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: `${kind}WebhookConfiguration`,
      metadata: { name },
      webhooks: [one],
    };
    const response = await call(server, 'POST', `${configurations}/${kind.toLowerCase()}webhookconfigurations`, { body });
    assert.equal(response.status, 201, JSON.stringify(objectOf(response)));
  }

  async function fresh(): Promise<AsyncDisposable> {
    server = await startTestServer();
    reviews = [];
    answers = {};
    return server;
  }

  test('a mutating webhook changes what is stored, defaults included, and is asked in the right way', async () => {
    await using _server = await fresh();
    answers['/mutate'] = () => patchOf({ op: 'add', path: '/data/added', value: 'yes' });
    await configure('Mutating', 'm', { clientConfig: url('/mutate') });
    const created = objectOf(await call(server, 'POST', configMaps, { body: configMap('a', { k: 'v' }) })) as { data?: unknown };
    assert.deepEqual(created.data, { k: 'v', added: 'yes' });
    const { request, ...type } = reviews[0] as Review;
    assert.deepEqual(type, { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' });
    const resource = { group: '', version: 'v1', resource: 'configmaps' };
    assert.deepEqual(
      [request['resource'], request['requestResource'], request.operation, request['namespace'], request['name'], request['dryRun']],
      [resource, resource, 'CREATE', 'default', 'a', false],
    );
    assert.deepEqual([request.object?.data, request.oldObject], [{ k: 'v' }, null]);
    assert.deepEqual(request['userInfo'], { username: 'admin', groups: ['system:masters', 'system:authenticated'] });
  });

  test('a validating webhook sees the final object and refuses in Kubernetes words', async () => {
    await using _server = await fresh();
    answers['/mutate'] = () => patchOf({ op: 'add', path: '/data', value: { bad: 'yes' } });
    answers['/validate'] = ({ request }) =>
      request.operation === 'DELETE'
        ? { allowed: false }
        : {
            allowed: false,
            status: { message: `${JSON.stringify(request.object?.data)} is bad`, code: 422, reason: 'Invalid' },
            warnings: ['careful'],
          };
    await configure('Mutating', 'm', { clientConfig: url('/mutate') });
    assert.equal((await call(server, 'POST', configMaps, { body: configMap('b') })).status, 201);
    await configure('Validating', 'v', { clientConfig: url('/validate') });
    const refused = await call(server, 'POST', configMaps, { body: configMap('a') });
    assert.deepEqual(failureOf(refused), [
      422,
      'Invalid',
      'admission webhook "v.hooks.example.com" denied the request: {"bad":"yes"} is bad',
    ]);
    assert.match(
      failureOf(await call(server, 'DELETE', `${configMaps}/b`))[2] ?? '',
      /"m\.hooks\.example\.com" attempted to modify the object/,
    );
    answers['/mutate'] = () => ({ allowed: true });
    const kept = await call(server, 'DELETE', `${configMaps}/b`);
    assert.deepEqual(failureOf(kept), [400, undefined, 'admission webhook "v.hooks.example.com" denied the request without explanation']);
    assert.equal((await call(server, 'GET', `${configMaps}/b`)).status, 200);
    const { object, oldObject } = (reviews.at(-1) as Review).request;
    assert.deepEqual([object, oldObject?.metadata.name], [null, 'b']);
  });

  test('one that fails refuses, unless it may be ignored', async () => {
    await using _server = await fresh();
    answers['/broken'] = () => 'it broke';
    await configure('Validating', 'v', { clientConfig: url('/broken') });
    const [code, reason, message] = failureOf(await call(server, 'POST', configMaps, { body: configMap('a') }));
    assert.deepEqual([code, reason], [500, 'InternalError']);
    assert.match(
      message ?? '',
      /^Internal error occurred: failed calling webhook "v\.hooks\.example\.com": failed to call webhook: Post "https:\/\/127\.0\.0\.1:\d+\/broken\?timeout=10s": .*it broke/,
    );
    await call(server, 'DELETE', `${configurations}/validatingwebhookconfigurations/v`);
    await configure('Validating', 'v', { clientConfig: url('/broken'), failurePolicy: 'Ignore' });
    assert.equal((await call(server, 'POST', configMaps, { body: configMap('a') })).status, 201);
  });

  test('rules, selectors and conditions keep it out', async () => {
    await using _server = await fresh();
    answers['/no'] = () => ({ allowed: false });
    const clientConfig = url('/no');
    const rules = [{ apiGroups: ['apps'], apiVersions: ['*'], resources: ['*'], operations: ['CREATE'] }];
    await configure('Validating', 'rules', { clientConfig, rules });
    await configure('Validating', 'object', { clientConfig, objectSelector: { matchLabels: { checked: 'yes' } } });
    await configure('Validating', 'namespace', { clientConfig, namespaceSelector: { matchLabels: { checked: 'yes' } } });
    await configure('Validating', 'condition', {
      clientConfig,
      matchConditions: [{ name: 'n', expression: 'object.metadata.name == "x"' }],
    });
    assert.equal((await call(server, 'POST', configMaps, { body: configMap('a') })).status, 201);
    assert.equal(reviews.length, 0);
    assert.equal((await call(server, 'POST', configMaps, { body: configMap('x') })).status, 400);
    assert.equal((await call(server, 'POST', configMaps, { body: configMap('b', {}, { labels: { checked: 'yes' } }) })).status, 400);
    assert.equal(reviews.length, 2);
  });

  test('one behind a Service is dialled at an endpoint, under the name of the Service', async () => {
    await using _server = await fresh();
    answers['/in'] = () => ({ allowed: false, status: { message: 'seen' } });
    const { port } = webhook.address() as AddressInfo;
    const post = async (path: string, body: object) => {
      const response = await call(server, 'POST', path, { body });
      assert.equal(response.status, 201, JSON.stringify(objectOf(response)));
    };
    const { caBundle } = url('/');
    await configure('Validating', 'v', { clientConfig: { service: { namespace: 'default', name: 'hook', path: '/in' }, caBundle } });
    assert.match(failureOf(await call(server, 'POST', configMaps, { body: configMap('a') }))[2] ?? '', /service "hook" not found$/);
    await post('/api/v1/namespaces/default/services', { metadata: { name: 'hook' }, spec: { ports: [{ port: 443 }] } });
    assert.match(
      failureOf(await call(server, 'POST', configMaps, { body: configMap('a') }))[2] ?? '',
      /no endpoints available for service "hook"$/,
    );
    const annotations = { 'node.dormouse.dev/dial': `tcp:127.0.0.1:${port}` };
    await post('/api/v1/namespaces/default/pods', {
      metadata: { name: 'p', annotations },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    await post('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      metadata: { name: 'hook-1', labels: { 'kubernetes.io/service-name': 'hook' } },
      addressType: 'IPv4',
      ports: [{ port: 8443 }],
      endpoints: [{ addresses: ['10.1.2.3'], targetRef: { kind: 'Pod', namespace: 'default', name: 'p' } }],
    });
    assert.match(failureOf(await call(server, 'POST', configMaps, { body: configMap('a') }))[2] ?? '', /denied the request: seen$/);
  });
});
