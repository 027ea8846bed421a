import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDial } from '#apis/dormouse/dial.ts';
import { backendConfig, backendKey, type BackendSources } from '#gateway/controller/backend-config.ts';
import { hashOf, hasKnativeClass, rulesOf, servicesOf } from '#gateway/controller/ingress-rules.ts';
import type { EndpointSlice, Ingress, Pod, Service } from '#gateway/controller/kinds.ts';

const service = (ports: unknown[], labels = {}): Service =>
  ({ metadata: { namespace: 'ns', name: 'svc', labels }, spec: { ports } }) as Service;
const slice = (ports: unknown[], endpoints: unknown[]): EndpointSlice =>
  ({ metadata: { namespace: 'ns', name: 'svc-1' }, addressType: 'IPv4', ports, endpoints }) as unknown as EndpointSlice;
const pod = (name: string, more: { annotations?: Record<string, string>; ready?: string; deleted?: boolean } = {}): Pod =>
  ({
    metadata: {
      namespace: 'ns',
      name,
      annotations: more.annotations ?? {},
      ...(more.deleted === true ? { deletionTimestamp: 'now' } : {}),
    },
    spec: { containers: [{ name: 'user-container', ports: [{ name: 'user-port', containerPort: 8080 }] }] },
    status: { podIP: `ip-of-${name}`, conditions: [{ type: 'Ready', status: more.ready ?? 'True' }] },
  }) as unknown as Pod;

function sources(more: Partial<BackendSources> & { known?: readonly Pod[] }): BackendSources {
  return {
    service: service([{ name: 'http', port: 80, targetPort: 'user-port' }]),
    port: '80',
    slices: [],
    pods: [],
    revision: undefined,
    pod: (_namespace, name) => more.known?.find(({ metadata }) => metadata.name === name),
    ...more,
  };
}
const dials = (from: BackendSources): unknown[] => backendConfig('k', from).pods.map(({ key, dial }) => [key, dial]);

describe('backends from Services', () => {
  test('a slice port is found by the name of the Service port, numbered or named in the Ingress', () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'admin', port: 9000 },
    ];
    const slices = [
      slice(
        [
          { name: 'admin', port: 9001 },
          { name: 'http', port: 8080 },
        ],
        [{ addresses: ['10.0.0.9'] }],
      ),
    ];
    assert.deepEqual(dials(sources({ service: service(ports), slices, port: 'admin' })), [
      ['10.0.0.9:9001', { host: '10.0.0.9', port: 9001 }],
    ]);
    assert.deepEqual(dials(sources({ service: service(ports), slices, port: '80' })), [
      ['10.0.0.9:8080', { host: '10.0.0.9', port: 8080 }],
    ]);
    assert.deepEqual(dials(sources({ service: service(ports), slices, port: '81' })), []);
  });

  test('endpoints without a pod follow their conditions, those with one follow the pod', () => {
    const target = (name: string) => ({ targetRef: { kind: 'Pod', namespace: 'ns', name } });
    const slices = [
      slice(
        [{ name: 'http', port: 8080 }],
        [
          { addresses: ['a'], conditions: { ready: false } },
          { addresses: ['b'], conditions: { ready: true, terminating: true } },
          { addresses: ['c'] },
          { addresses: ['d'], conditions: { ready: true }, ...target('gone') },
          { addresses: ['e'], conditions: { ready: true }, ...target('unready') },
          { addresses: ['f'], conditions: { ready: false }, ...target('ready') },
          { addresses: ['g'], conditions: { ready: true }, ...target('deleted') },
        ],
      ),
    ];
    const known = [pod('unready', { ready: 'False' }), pod('ready'), pod('deleted', { deleted: true })];
    assert.deepEqual(dials(sources({ slices, known })), [
      ['c:8080', { host: 'c', port: 8080 }],
      ['ns/ready', { host: 'f', port: 8080 }],
    ]);
  });

  test('a ready pod of the revision is used before its slice says so, on its named port', () => {
    assert.deepEqual(dials(sources({ pods: [pod('early')] })), [['ns/early', { host: 'ip-of-early', port: 8080 }]]);
  });

  test('how to reach a pod is said by its annotation', () => {
    assert.deepEqual(parseDial('unix:/run/p/{port}.sock', 8080), { path: '/run/p/8080.sock' });
    assert.deepEqual(parseDial('tcp:127.0.0.1:49000', 1), { host: '127.0.0.1', port: 49_000 });
    assert.deepEqual(parseDial('tcp:[::1]:49000', 1), { host: '::1', port: 49_000 });
    assert.equal(parseDial('carrier-pigeon', 1), undefined);
    const annotations = { 'node.dormouse.dev/dial': 'tcp:127.0.0.1:49000', 'node.dormouse.dev/freeze': 'true' };
    const [config] = backendConfig('k', sources({ pods: [pod('p', { annotations })] })).pods;
    assert.deepEqual(config, { key: 'ns/p', dial: { host: '127.0.0.1', port: 49_000 }, frozen: true });
  });

  test("HTTP/2 is spoken where the port's name or its protocol says so", () => {
    const protocol = (port: object) => backendConfig('k', { ...sources({}), service: service([port]), port: '80' }).protocol;
    assert.equal(protocol({ name: 'http', port: 80 }), undefined);
    assert.equal(protocol({ name: 'http2', port: 80 }), 'h2c');
    assert.equal(protocol({ name: 'h2c', port: 80 }), 'h2c');
    assert.equal(protocol({ name: 'grpc', port: 80, appProtocol: 'kubernetes.io/h2c' }), 'h2c');
    assert.equal(protocol({ name: 'http2', port: 81 }), undefined);
  });

  test('services of one revision are one backend, with the limits of the revision', () => {
    const labelled = service([{ name: 'http', port: 80 }], { 'serving.knative.dev/revision': 'rev' });
    assert.equal(backendKey(labelled, { namespace: 'ns', name: 'svc', port: '80' }), 'revision/ns/rev');
    assert.equal(backendKey(labelled, { namespace: 'ns', name: 'svc-private', port: '81' }), 'revision/ns/rev');
    assert.equal(backendKey(service([]), { namespace: 'ns', name: 'svc', port: '80' }), 'service/ns/svc:80');
    const revision = {
      metadata: { labels: { 'serving.knative.dev/service': 'svc', 'serving.knative.dev/configuration': 'cfg' } },
      spec: { containerConcurrency: 7, timeoutSeconds: 20, responseStartTimeoutSeconds: 5, idleTimeoutSeconds: 3 },
    };
    const config = backendConfig('k', sources({ service: labelled, revision: revision as never }));
    assert.deepEqual([config.service, config.configuration], ['svc', 'cfg']);
    assert.deepEqual(
      [config.name, config.isRevision, config.containerConcurrency, config.timeoutMs, config.responseStartTimeoutMs, config.idleTimeoutMs],
      ['rev', true, 7, 20_000, 5000, 3000],
    );
  });
});

describe('rules from Ingresses', () => {
  const ingress = {
    metadata: { namespace: 'ns', name: 'i' },
    spec: {
      httpOption: 'Redirected',
      rules: [
        {
          hosts: ['App.Example.com'],
          visibility: 'ExternalIP',
          http: {
            paths: [
              {
                path: '/x',
                headers: { Tag: { exact: 'blue' } },
                rewriteHost: 'inner',
                splits: [
                  { serviceNamespace: 'ns', serviceName: 'a', servicePort: 80, percent: 100, appendHeaders: { A: '1' } },
                  { serviceNamespace: 'ns', serviceName: 'b', servicePort: 'http', percent: 0 },
                ],
              },
            ],
          },
        },
        {
          hosts: ['i.ns'],
          visibility: 'ClusterLocal',
          http: { paths: [{ splits: [{ serviceNamespace: 'ns', serviceName: 'a', servicePort: 80 }] }] },
        },
      ],
    },
  } as unknown as Ingress;

  test('everything of the Ingress is carried over', () => {
    const probeHash = hashOf(ingress);
    assert.match(probeHash, /^[\da-f]{64}$/);
    const split = (backend: string, percent: number) => ({ backend, percent });
    assert.deepEqual(
      rulesOf(ingress, ({ name, port }) => `${name}:${port}`),
      [
        {
          hosts: ['app.example.com'],
          visibility: 'external',
          redirectToHttps: true,
          probeHash,
          paths: [
            {
              path: '/x',
              headers: { Tag: 'blue' },
              rewriteHost: 'inner',
              splits: [{ ...split('a:80', 100), appendHeaders: { A: '1' } }, split('b:http', 0)],
            },
          ],
        },
        { hosts: ['i.ns'], visibility: 'local', probeHash, paths: [{ splits: [split('a:80', 100)] }] },
      ],
    );
  });

  test('with certificates, only rules whose hosts have one are redirected, those inside the cluster too', () => {
    const redirectedWith = (...hosts: string[]) =>
      rulesOf({ ...ingress, spec: { ...ingress.spec, tls: [{ hosts, secretName: 's' }] } } as never, ({ name }) => name).map(
        ({ redirectToHttps = false }) => redirectToHttps,
      );
    assert.deepEqual(redirectedWith('app.example.com'), [true, false]);
    assert.deepEqual(redirectedWith('*.example.com'), [true, false]);
    assert.deepEqual(redirectedWith('i.ns', 'i.ns.svc'), [false, true]);
  });

  test('a Service at zero percent need not exist', () => {
    assert.deepEqual(
      servicesOf(ingress).map(({ name }) => name),
      ['a', 'a'],
    );
  });
});

test('an Ingress of Knative’s is one whose class says so', () => {
  const of = (annotations?: Record<string, string>) =>
    hasKnativeClass({ metadata: { name: 'i', ...(annotations === undefined ? {} : { annotations }) } } as never);
  for (const key of ['networking.knative.dev/ingress.class', 'networking.knative.dev/ingress-class']) {
    for (const name of ['dormouse', 'istio', 'kourier']) assert.equal(of({ [key]: `${name}.ingress.networking.knative.dev` }), true);
    for (const other of ['', 'incorrect']) assert.equal(of({ [key]: other }), false);
  }
  assert.equal(of({}), false);
  assert.equal(of(), false);
});

test('the hash of an Ingress is the one Knative computes from it', () => {
  // Of `ingress.ComputeHash` of knative.dev/networking, for the same object.
  const expected = 'eae07d0288bdc227d6d878c00051d5bfa217945c135b86b99cd0f9c123e2f652';
  const split = (serviceName: string, servicePort: number | string, percent: number) => ({
    serviceName,
    serviceNamespace: 'n',
    servicePort,
    percent,
  });
  const first = { ...split('r1', 80, 100), appendHeaders: { 'Z-Last': '<&>', 'A-First': '1' } };
  const paths = [
    { splits: [first], headers: { Tag: { exact: 'x' } }, appendHeaders: { K: 'v' }, rewriteHost: 'w', path: '/p' },
    { splits: [split('r2', 'http', 0), split('r3', 81, 100)] },
  ];
  const ingress = {
    metadata: { name: 'hello', namespace: 'n' },
    spec: {
      rules: [{ visibility: 'ExternalIP', hosts: ['a.example.com', 'b.example.com'], http: { paths } }],
      httpOption: 'Redirected',
      tls: [{ secretNamespace: 'n', secretName: 's', hosts: ['a.example.com'] }],
    },
  };
  assert.equal(hashOf(ingress as never), expected);
});
