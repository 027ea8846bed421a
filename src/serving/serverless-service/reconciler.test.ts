import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { services as coreServices } from '#apis/core/v1/service.ts';
import { endpointSlices, type EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { serverlessServices, type ServerlessService } from '#apis/networking/v1alpha1/serverless-service.ts';
import { labels } from '#apis/serving/names.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { serverlessServiceController } from '#serving/serverless-service/reconciler.ts';
import { conditionsOf, make } from '#serving/testing.ts';

const object = (protocolType = 'http1', mode: 'Serve' | 'Proxy' = 'Proxy'): ServerlessService =>
  make(serverlessServices, 'r', {
    metadata: { labels: { [labels.revisionUid]: 'uid-revision-r' } },
    spec: { mode, protocolType, numActivators: 2, objectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'r-deployment' } },
  } as Partial<ServerlessService>);
const reconcile = (...objects: KubeObject[]) => reconcileOnce(serverlessServiceController, { objects, key: 'n/r' });
const slice = (ready: boolean) =>
  make(endpointSlices, 'r-private-1', {
    metadata: { labels: { 'kubernetes.io/service-name': 'r-private', [labels.serverlessService]: 'r' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready } }],
  } as never);
const activator = {
  ...make(endpointSlices, 'activator-service', {
    metadata: { namespace: 'knative-serving', labels: { 'kubernetes.io/service-name': 'activator-service' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
    endpoints: [{ addresses: ['10.0.0.254'], conditions: { ready: true } }],
  } as never),
};

/** Where the public Service leads: `address:port`. */
async function published(...objects: KubeObject[]): Promise<string[]> {
  const { creates } = await reconcile(...objects);
  const made = creates.find(({ kind }) => kind === 'EndpointSlice') as EndpointSlice | undefined;
  const [port] = made?.ports ?? [];
  return (made?.endpoints ?? []).map(({ addresses }) => `${addresses[0]}:${port?.port}`);
}

describe('serverless service controller', () => {
  test('makes the public and the private Service of the revision', async () => {
    const { creates, status } = await reconcile(object());
    assert.deepEqual(
      creates
        .filter(({ kind }) => kind !== 'EndpointSlice')
        .map(({ metadata }) => [metadata.name, metadata.labels?.[labels.serviceType]])
        .toSorted((a, b) => String(a[0]).localeCompare(String(b[0]))),
      [
        ['r', 'Public'],
        ['r-private', 'Private'],
      ],
    );
    assert.deepEqual(conditionsOf(status), {
      ActivatorEndpointsPopulated: 'True',
      EndpointsPopulated: 'Unknown NoHealthyBackends: Endpoints have not yet been populated',
      Ready: 'Unknown NoHealthyBackends: Endpoints have not yet been populated',
    });
    const { serviceName, privateServiceName } = status as NonNullable<ServerlessService['status']>;
    assert.deepEqual([serviceName, privateServiceName], ['r', 'r-private']);
  });

  test('is ready as soon as a pod is', async () => {
    assert.equal(conditionsOf((await reconcile(object(), slice(true))).status)['Ready'], 'True');
    assert.match(conditionsOf((await reconcile(object(), slice(false))).status)['Ready'] ?? '', /^Unknown NoHealthyBackends/);
  });

  test('a slice of nothing, as Kubernetes writes it, has no pod', async () => {
    const nothing = { ...slice(true), ports: null, endpoints: null } as unknown as EndpointSlice;
    assert.match(conditionsOf((await reconcile(object(), nothing)).status)['Ready'] ?? '', /^Unknown NoHealthyBackends/);
    assert.deepEqual(await published(object(), nothing, activator), ['10.0.0.254:80']);
  });

  test('the public Service leads to the gateway, and to the pods where they are served directly', async () => {
    assert.deepEqual(await published(object(), slice(true), activator), ['10.0.0.254:80']);
    assert.deepEqual(await published(object('http1', 'Serve'), slice(true), activator), ['10.0.0.1:8080']);
    assert.deepEqual(await published(object('http1', 'Serve'), slice(false), activator), ['10.0.0.254:80']);
    assert.deepEqual(await published(object(), slice(true)), ['10.0.0.1:8080']);
  });

  test('an h2c revision has its port', async () => {
    const { creates } = await reconcile(object('h2c'));
    assert.deepEqual((creates[0] as { spec?: { ports?: { name?: string; port: number }[] } }).spec?.ports?.[0]?.name, 'http2');
  });

  test("somebody else's Service of the name is left alone and said", async () => {
    const { updates, status, outcome } = await reconcile(object(), make(coreServices, 'r'));
    assert.deepEqual(updates, []);
    assert.equal(conditionsOf(status)['EndpointsPopulated'], 'False NotOwned: There is an existing Service "r" that we do not own.');
    assert.equal(outcome?.kind, 'requeue');
  });
});
