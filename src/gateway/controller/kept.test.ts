import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keptByGateway } from '#gateway/controller/kept.ts';
import { endpointSlices, ingresses, revisions, services } from '#gateway/controller/kinds.ts';

const metadata = { name: 'web-00001', namespace: 'n', uid: 'u', resourceVersion: '7', annotations: { a: 'b' }, labels: { app: 'web' } };
const slim = { name: 'web-00001', namespace: 'n', uid: 'u', resourceVersion: '7' };

describe('what the gateway keeps', () => {
  it('of a Service: its ports and whose revision it is', () => {
    const service = {
      metadata: { ...metadata, labels: { app: 'web', 'serving.knative.dev/revision': 'web-00001' } },
      spec: { clusterIP: 'None', ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }], selector: { a: 'b' } },
      status: { loadBalancer: {} },
    };
    assert.deepEqual(keptByGateway(service as never, services), {
      metadata: { ...slim, labels: { 'serving.knative.dev/revision': 'web-00001' } },
      spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    });
  });

  it('of an EndpointSlice: where the endpoints are and which are ready', () => {
    const endpoint = { addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef: { kind: 'Pod', name: 'p' } };
    const slice = {
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080 }],
      endpoints: [{ ...endpoint, nodeName: 'node' }],
    };
    assert.deepEqual(keptByGateway(slice as never, endpointSlices), {
      metadata: { ...slim, labels: { 'kubernetes.io/service-name': 'web' } },
      ports: [{ name: 'http', port: 8080 }],
      endpoints: [endpoint],
    });
  });

  it('of a Revision: its limits and what it belongs to', () => {
    const owners = { 'serving.knative.dev/service': 'web', 'serving.knative.dev/configuration': 'web' };
    const revision = {
      metadata: { ...metadata, labels: { app: 'web', ...owners } },
      spec: { containerConcurrency: 2, timeoutSeconds: 30, containers: [{ image: 'i' }] },
    };
    assert.deepEqual(keptByGateway(revision as never, revisions), {
      metadata: { ...slim, labels: owners },
      spec: { containerConcurrency: 2, timeoutSeconds: 30 },
    });
  });

  it('of an Ingress, whose status it writes: all', () => {
    const ingress = { metadata, spec: {} };
    assert.equal(keptByGateway(ingress as never, ingresses), ingress);
  });
});
