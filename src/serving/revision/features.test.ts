import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AdmissionContext } from '#apis/definition.ts';
import { readConfig } from '#apis/serving/config/config-map.ts';
import { autoscalerTable, deploymentTable, featuresTable, observabilityTable, type FeaturesConfig } from '#apis/serving/config/tables.ts';
import { serviceDefinition } from '#apis/serving/v1/kinds.ts';
import type { RevisionSpec, Service } from '#apis/serving/v1/schemas.ts';
import { makeDeployment } from '#serving/revision/resources.ts';
import { aConfiguration, aRevision } from '#serving/testing.ts';

/** What each flag of config-features lets through: fields of the pod spec, or of its first container. */
const gates: Partial<Record<keyof FeaturesConfig, { readonly spec?: object; readonly container?: object }>> = {
  'kubernetes.podspec-affinity': { spec: { affinity: { nodeAffinity: {} } } },
  'kubernetes.podspec-topologyspreadconstraints': {
    spec: { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }] },
  },
  'kubernetes.podspec-hostaliases': { spec: { hostAliases: [{ ip: '127.0.0.1', hostnames: ['a'] }] } },
  'kubernetes.podspec-nodeselector': { spec: { nodeSelector: { disk: 'fast' } } },
  'kubernetes.podspec-tolerations': { spec: { tolerations: [{ key: 'a', operator: 'Exists' }] } },
  'kubernetes.podspec-fieldref': { container: { env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }] } },
  'kubernetes.podspec-runtimeclassname': { spec: { runtimeClassName: 'fast' } },
  'kubernetes.podspec-dnspolicy': { spec: { dnsPolicy: 'Default' } },
  'kubernetes.podspec-dnsconfig': { spec: { dnsConfig: { nameservers: ['127.0.0.53'] } } },
  'kubernetes.podspec-securitycontext': { spec: { securityContext: { runAsUser: 1000 } } },
  'kubernetes.podspec-shareprocessnamespace': { spec: { shareProcessNamespace: true } },
  'kubernetes.podspec-hostipc': { spec: { hostIPC: true } },
  'kubernetes.podspec-hostpid': { spec: { hostPID: true } },
  'kubernetes.podspec-hostnetwork': { spec: { hostNetwork: true } },
  'kubernetes.podspec-priorityclassname': { spec: { priorityClassName: 'high' } },
  'kubernetes.podspec-schedulername': { spec: { schedulerName: 'other' } },
  'kubernetes.podspec-init-containers': { spec: { initContainers: [{ name: 'first', image: 'example.com/init' }] } },
  'kubernetes.podspec-volumes-emptydir': volume({ emptyDir: {} }),
  'kubernetes.podspec-persistent-volume-claim': volume({ persistentVolumeClaim: { claimName: 'c', readOnly: true } }, { readOnly: true }),
  'kubernetes.podspec-volumes-hostpath': volume({ hostPath: { path: '/data' } }),
  'kubernetes.podspec-volumes-csi': volume({ csi: { driver: 'd' } }),
  'kubernetes.podspec-volumes-image': volume({ image: { reference: 'example.com/data' } }),
  'kubernetes.containerspec-addcapabilities': { container: { securityContext: { capabilities: { add: ['NET_ADMIN'] } } } },
};

function volume(source: object, mount: object = {}) {
  return {
    spec: { volumes: [{ name: 'v', ...source }] },
    container: { volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] },
  };
}

/** The spec that a Service with these fields ends with, after defaulting and validation with the flag in that state. */
function admit(flag: string, state: string, { spec = {}, container = {} }: { spec?: object; container?: object }): RevisionSpec {
  const containers = [{ image: 'example.com/app', ...container }];
  const service = { metadata: { name: 's', namespace: 'n' }, spec: { template: { spec: { containers, ...spec } } } } as unknown as Service;
  const context: AdmissionContext<Service> = {
    operation: 'create',
    subresource: '',
    user: { username: 'ada', groups: [] },
    dryRun: false,
    now: '2026-01-01T00:00:00Z',
    config: (_namespace, name) => (name === 'config-features' ? { [flag]: state } : undefined),
    warn: () => {},
  };
  serviceDefinition.default?.(service, context);
  serviceDefinition.validate?.(service, context);
  return service.spec?.template?.spec as RevisionSpec;
}

const config = {
  deployment: readConfig(deploymentTable, undefined),
  autoscaler: readConfig(autoscalerTable, undefined),
  observability: readConfig(observabilityTable, undefined),
  features: readConfig(featuresTable, undefined),
};

describe('feature flags', () => {
  for (const [flag, fields] of Object.entries(gates)) {
    test(`${flag}: refused while Disabled; Enabled it reaches the pod`, () => {
      assert.throws(() => admit(flag, 'Disabled', fields), /must not set the field|not allowed|not support|disabled/i);
      const revision = aRevision(aConfiguration(), 1, { spec: admit(flag, 'Enabled', fields) });
      const pod = makeDeployment(revision, new Map(), config).spec?.template?.spec;
      const container = pod?.containers.find(({ name }) => name === 'user-container');
      for (const [key, value] of Object.entries(fields.spec ?? {})) holds(pod, key, value);
      for (const [key, value] of Object.entries(fields.container ?? {})) holds(container, key, value);
    });
  }
});

describe('probes', () => {
  test('a scheme may be written in any case; the pod gets the one it knows', () => {
    const probe = (scheme: string) => ({ httpGet: { scheme, port: 8077, path: '/ready' } });
    const container = { name: 'c', image: 'i', readinessProbe: probe('http'), livenessProbe: probe('https') };
    const revision = aRevision(aConfiguration(), 1, { spec: { containers: [container] as never } });
    const [made] = makeDeployment(revision, new Map(), config).spec?.template?.spec?.containers ?? [];
    assert.equal(made?.readinessProbe?.httpGet?.scheme, 'HTTP');
    assert.equal(made?.livenessProbe?.httpGet?.scheme, 'HTTPS');
  });
});

describe('runtime-class-name of config-deployment', () => {
  const classes = 'gvisor: {}\nkata:\n  selector: {kind: untrusted}\n';
  const classOf = (labels: Record<string, string>, spec: object = {}) => {
    const revision = aRevision(aConfiguration(), 1, { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } });
    const deployment = readConfig(deploymentTable, { 'runtime-class-name': classes });
    return makeDeployment(revision, new Map(), { ...config, deployment }).spec?.template?.spec?.runtimeClassName;
  };

  test('the most specific selector that matches decides; what the revision says wins', () => {
    assert.equal(classOf({}), 'gvisor');
    assert.equal(classOf({ kind: 'untrusted' }), 'kata');
    assert.equal(classOf({ kind: 'untrusted' }, { runtimeClassName: 'own' }), 'own');
  });
});

/** Lists may have got more entries (the environment), and entries more fields (defaults). */
function holds(object: object | undefined, key: string, value: unknown): void {
  const found = (object as Record<string, unknown> | undefined)?.[key];
  if (Array.isArray(value) && Array.isArray(found)) assert.partialDeepStrictEqual(found[0], value[0]);
  else assert.partialDeepStrictEqual(found, value);
}
