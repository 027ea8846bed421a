import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container } from '#apis/core/v1/container.ts';
import type { Service } from '#apis/core/v1/service.ts';
import { FakeClock } from '#core/clock.ts';
import { expandVariables } from '#node/environment/expand.ts';
import { resolveEnvironment } from '#node/environment/resolve.ts';
import { FakeEvents, fakeNode, FakeSources, testPod } from '#node/testing/fixture.ts';

async function resolve(container: Partial<Container>, prepare: (sources: FakeSources) => void = () => {}) {
  const sources = new FakeSources(new FakeClock());
  prepare(sources);
  const events = new FakeEvents();
  const pod = testPod({ containers: [container], serviceAccountName: 'robot' });
  pod.metadata.labels = { app: 'web' };
  const [own] = pod.spec?.containers ?? [];
  assert.ok(own !== undefined);
  const addresses = { podIp: '10.88.0.2', hostIps: ['192.0.2.1'] };
  const environment = await resolveEnvironment({ pod, container: own, addresses, node: fakeNode, sources, events });
  return { environment: Object.fromEntries(environment), events: events.texts };
}
const service = (namespace: string, name: string, clusterIP: string): Service =>
  ({ metadata: { namespace, name }, spec: { clusterIP, ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } }) as Service;

describe('variable expansion', () => {
  const table: readonly (readonly [string, string])[] = [
    ['$(A)', '1'],
    ['x$(A)y$(B)', 'x1y2'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(NOPE)', '$(NOPE)'],
    ['$A', '$A'],
    ['$(A', '$(A'],
    ['100$', '100$'],
  ];
  for (const [text, expected] of table) {
    it(`turns ${text} into ${expected}`, () =>
      assert.equal(
        expandVariables(text, (name) => ({ A: '1', B: '2' })[name]),
        expected,
      ));
  }
});

describe('the environment of a container', () => {
  it('takes fields of the pod, its addresses and its resources', async () => {
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const { environment } = await resolve({
      resources: { limits: { cpu: '1500m', memory: '64Mi' }, requests: { cpu: '250m' } },
      env: [
        field('NAME', 'metadata.name'),
        field('LABEL', "metadata.labels['app']"),
        field('IP', 'status.podIP'),
        field('HOST', 'status.hostIP'),
        field('ACCOUNT', 'spec.serviceAccountName'),
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        { name: 'MILLI', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
        { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        { name: 'DISK', valueFrom: { resourceFieldRef: { resource: 'limits.ephemeral-storage' } } },
      ],
    });
    assert.deepEqual(environment, {
      NAME: 'web',
      LABEL: 'web',
      IP: '10.88.0.2',
      HOST: '192.0.2.1',
      ACCOUNT: 'robot',
      CPU: '2',
      MILLI: '250',
      MEM: '64',
      DISK: String(2 ** 33),
    });
  });

  it('prefers env over envFrom over services, and expands over what comes before', async () => {
    const { environment } = await resolve(
      {
        envFrom: [{ configMapRef: { name: 'conf' }, prefix: 'P_' }, { secretRef: { name: 'sec' } }],
        env: [
          { name: 'P_A', value: 'own' },
          { name: 'ALL', value: '$(P_A) $(P_B) $(S) $(LATER) $(WEB_SERVICE_HOST)' },
          { name: 'LATER', value: 'x' },
          { name: 'DB_SERVICE_PORT', value: '1' },
        ],
      },
      (sources) => {
        sources.setConfigMap('default', 'conf', { A: 'a', B: 'b' });
        sources.secrets.set('default/sec', { metadata: {}, data: { S: Buffer.from('s3').toString('base64') } });
        sources.allServices.push(
          service('default', 'web', '10.96.0.7'),
          service('default', 'db', '10.96.0.8'),
          service('other', 'far', '10.96.0.9'),
        );
      },
    );
    assert.equal(environment['ALL'], 'own b s3 $(LATER) 10.96.0.7');
    assert.equal(environment['DB_SERVICE_PORT'], '1');
    assert.equal(environment['WEB_PORT_80_TCP'], 'tcp://10.96.0.7:80');
    assert.equal(environment['FAR_SERVICE_HOST'], undefined);
  });

  it('goes on without optional objects and stops for mandatory ones, with an event either way', async () => {
    const optional = await resolve({ envFrom: [{ secretRef: { name: 'gone', optional: true } }] });
    assert.deepEqual(optional.events, ['OptionalSecretNotFound: secret "gone" not found']);
    await assert.rejects(resolve({ envFrom: [{ configMapRef: { name: 'gone' } }] }), /^ContainerConfigError: configmap "gone" not found$/);
    const key = { configMapKeyRef: { name: 'conf', key: 'k' } };
    const prepare = (sources: FakeSources) => sources.setConfigMap('default', 'conf', {});
    await assert.rejects(resolve({ env: [{ name: 'A', valueFrom: key }] }, prepare), /couldn't find key k in ConfigMap default\/conf/);
  });

  it('skips keys that cannot be variable names and says so', async () => {
    const { environment, events } = await resolve({ envFrom: [{ configMapRef: { name: 'conf' } }] }, (sources) =>
      sources.setConfigMap('default', 'conf', { 'a=b': '1', ok: '2' }),
    );
    assert.deepEqual(environment, { ok: '2' });
    assert.match(events[0] ?? '', /^InvalidEnvironmentVariableNames: Keys \[a=b\]/);
  });
});
