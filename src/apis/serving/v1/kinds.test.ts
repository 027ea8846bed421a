import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { AdmissionContext } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { StatusError } from '#apis/meta/status.ts';
import { configurationDefinition, routeDefinition, serviceDefinition } from '#apis/serving/v1/kinds.ts';
import type { RevisionSpec, Route, Service } from '#apis/serving/v1/schemas.ts';

type Json = Record<string, unknown>;

function context<T extends KubeObject>(old?: T, config: Record<string, Record<string, string>> = {}): AdmissionContext<T> {
  return {
    operation: old === undefined ? 'create' : 'update',
    subresource: '',
    user: { username: 'ada', groups: [] },
    dryRun: false,
    now: '2026-01-01T00:00:00Z',
    ...(old === undefined ? {} : { old }),
    config: (_namespace, name) => config[name],
    warn: () => {},
  };
}

function service(spec: Json, metadata: Json = {}): Service {
  return { metadata: { name: 'hello', namespace: 'default', ...metadata }, spec } as Service;
}

const image = 'gcr.io/knative-samples/helloworld';
const withContainer = (container: Json, more: Json = {}): Json => ({
  template: { spec: { containers: [{ image, ...container }], ...more } },
});

function admit(object: Service, old?: Service, config?: Record<string, Record<string, string>>): Service {
  const scope = context(old, config);
  serviceDefinition.default?.(object, scope);
  serviceDefinition.validate?.(object, scope);
  return object;
}

function denial(spec: Json, metadata: Json = {}, config?: Record<string, Record<string, string>>): string {
  try {
    admit(service(spec, metadata), undefined, config);
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.equal(error.code, 400);
    return error.message.replace('admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: ', '');
  }
  return '';
}

describe('defaults', () => {
  test('a minimal service gets what Knative fills in', () => {
    const { spec, metadata } = admit(service(withContainer({})));
    const template = spec?.template?.spec as RevisionSpec;
    assert.deepEqual(template, {
      containers: [{ image, name: 'user-container', resources: {}, readinessProbe: { tcpSocket: { port: 0 }, successThreshold: 1 } }],
      timeoutSeconds: 300,
      containerConcurrency: 0,
      enableServiceLinks: false,
    });
    assert.deepEqual(spec?.traffic, [{ percent: 100, latestRevision: true }]);
    assert.deepEqual(metadata.annotations, { 'serving.knative.dev/creator': 'ada', 'serving.knative.dev/lastModifier': 'ada' });
  });

  test('configuration maps decide the defaults', () => {
    const { spec } = admit(service(withContainer({})), undefined, {
      'config-defaults': {
        'revision-timeout-seconds': '120',
        'container-concurrency': '7',
        'revision-cpu-request': '100m',
        'revision-idle-timeout-seconds': '30',
      },
    });
    assert.equal(spec?.template?.spec?.timeoutSeconds, 120);
    assert.equal(spec?.template?.spec?.containerConcurrency, 7);
    assert.equal(spec?.template?.spec?.idleTimeoutSeconds, 30);
    assert.deepEqual(spec?.template?.spec?.containers?.[0]?.resources?.requests, { cpu: '100m' });
  });

  test('several containers are numbered around the names that are taken', () => {
    const { spec } = admit(
      service({
        template: { spec: { containers: [{ image, ports: [{ containerPort: 80 }] }, { image, name: 'user-container-1' }, { image }] } },
      }),
    );
    assert.deepEqual(
      spec?.template?.spec?.containers?.map(({ name }) => name),
      ['user-container-0', 'user-container-1', 'user-container-2'],
    );
  });

  test('an unchanged spec keeps its last modifier', () => {
    const old = admit(service(withContainer({})));
    const next = structuredClone(old);
    next.metadata.annotations = { 'serving.knative.dev/creator': 'ada', 'serving.knative.dev/lastModifier': 'ada' };
    const scope: AdmissionContext<Service> = { ...context(old), user: { username: 'bob', groups: [] } };
    serviceDefinition.default?.(next, scope);
    assert.equal(next.metadata.annotations['serving.knative.dev/lastModifier'], 'ada');
  });
});

describe('validation', () => {
  const cases: readonly (readonly [string, Json, string])[] = [
    ['no image', { template: { spec: { containers: [{ name: 'x' }] } } }, 'missing field(s): spec.template.spec.containers[0].image'],
    ['no containers', { template: { spec: {} } }, 'missing field(s): spec.template.spec.containers'],
    [
      'a reserved variable',
      withContainer({ env: [{ name: 'PORT', value: '1' }] }),
      '"PORT" is a reserved environment variable: spec.template.spec.containers[0].env[0].name',
    ],
    [
      'a reserved port',
      withContainer({ ports: [{ containerPort: 9090 }] }),
      'invalid value: 9090 is a reserved port: spec.template.spec.containers[0].ports.containerPort\n9090 is a reserved port, please use a different value',
    ],
    [
      'two ports',
      withContainer({ ports: [{ containerPort: 80 }, { containerPort: 81 }] }),
      'more than one container port is set: spec.template.spec.containers[*].ports\nOnly a single port is allowed across all containers',
    ],
    ['host network', withContainer({}, { hostNetwork: true }), 'must not set the field(s): spec.template.spec.hostNetwork'],
    [
      'life cycle hooks',
      withContainer({ lifecycle: { preStop: {} } }),
      'must not set the field(s): spec.template.spec.containers[0].lifecycle',
    ],
    [
      'a concurrency beyond the limit',
      withContainer({}, { containerConcurrency: 1001 }),
      'expected 0 <= 1001 <= 1000: spec.template.spec.containerConcurrency',
    ],
    ['a negative timeout', withContainer({}, { timeoutSeconds: -1 }), 'expected 0 <= -1 <= 600: spec.template.spec.timeoutSeconds'],
    [
      'traffic that does not sum to 100',
      { ...withContainer({}), traffic: [{ latestRevision: true, percent: 60 }] },
      'Traffic targets sum to 60, want 100: spec.traffic',
    ],
    [
      'a tag used twice',
      {
        ...withContainer({}),
        traffic: [
          { tag: 'a', percent: 50 },
          { tag: 'a', percent: 50 },
        ],
      },
      'Multiple definitions for "a": spec.traffic[0].tag, spec.traffic[1].tag',
    ],
    [
      'a mount without volume',
      withContainer({ volumeMounts: [{ name: 'v', mountPath: '/x' }] }),
      'volumeMount has no matching volume: spec.template.spec.containers[0].volumeMounts[0].name',
    ],
    [
      'an unparsable image',
      withContainer({ image: 'UPPER:' }),
      'Failed to parse image reference: spec.template.spec.containers[0].image\nimage: "UPPER:", error: could not parse reference: UPPER:',
    ],
    [
      'a foreign revision name',
      { template: { metadata: { name: 'other-1' }, spec: { containers: [{ image }] } } },
      'invalid value: "other-1" must have prefix "hello-": spec.template.metadata.name',
    ],
    [
      'two probe handlers',
      withContainer({ livenessProbe: { httpGet: { path: '/' }, exec: { command: ['true'] } } }),
      'expected exactly one, got both: spec.template.spec.containers[0].livenessProbe.exec, spec.template.spec.containers[0].livenessProbe.httpGet',
    ],
    [
      'max below min',
      {
        template: {
          metadata: { annotations: { 'autoscaling.knative.dev/min-scale': '3', 'autoscaling.knative.dev/maxScale': '2' } },
          spec: { containers: [{ image }] },
        },
      },
      'max-scale=2 is less than min-scale=3: spec.template.metadata.annotations.autoscaling.knative.dev/max-scale, spec.template.metadata.annotations.autoscaling.knative.dev/min-scale',
    ],
  ];
  for (const [name, spec, text] of cases) {
    test(`refuses ${name}`, () => assert.equal(denial(spec), text));
  }

  test('a service account name is judged in Kubernetes’ words', () => {
    assert.match(
      denial(withContainer({}, { serviceAccountName: 'foo@bar.baz' })),
      /^invalid value: foo@bar\.baz: spec\.template\.spec\.serviceAccountName\na lowercase RFC 1123 subdomain must consist of/,
    );
  });

  test('freezing is asked for in words that mean something, on the template', () => {
    const of = (annotations: Json): Json => ({ template: { metadata: { annotations }, spec: { containers: [{ image }] } } });
    const path = 'spec.template.metadata.annotations.autoscaling.dormouse.dev';
    assert.equal(denial(of({ 'autoscaling.dormouse.dev/idle': 'freeze', 'autoscaling.dormouse.dev/frozen-retention': '30m' })), '');
    assert.equal(
      denial(of({ 'autoscaling.dormouse.dev/idle': 'frozen' })),
      `invalid value: frozen: ${path}/idle\nthe only value is "freeze"`,
    );
    assert.equal(denial(of({ 'autoscaling.dormouse.dev/frozen-retention': '30' })), `invalid value: 30: ${path}/frozen-retention`);
    assert.match(
      denial(withContainer({}), { annotations: { 'autoscaling.dormouse.dev/idle': 'freeze' } }),
      /must be put under "spec\.template/,
    );
  });

  test('autoscaling annotations belong to the template', () => {
    assert.equal(
      denial(withContainer({}), { annotations: { 'autoscaling.knative.dev/min-scale': '1' } }),
      'invalid key name "autoscaling.knative.dev/min-scale": metadata.annotations\nautoscaling annotations must be put under "spec.template.metadata.annotations" to work',
    );
  });

  test('a brought name must change with the template', () => {
    const old = admit(service({ template: { metadata: { name: 'hello-a' }, spec: { containers: [{ image }] } } }));
    const next = structuredClone(old);
    const container = next.spec?.template?.spec?.containers?.[0];
    if (container !== undefined) container.image = `${image}:2`;
    assert.throws(() => admit(next, old), /Saw the following changes without a name change \(-old \+new\): spec\.template\.metadata\.name/);
  });

  test('a label of an owner needs that owner when it comes, and stays when the owner lets go', () => {
    const route = (labels: Record<string, string>, owned: boolean): Route => {
      const ownerReferences = owned ? [{ apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'hello', uid: 'u' }] : [];
      const spec = { traffic: [{ configurationName: 'hello', percent: 100 }] };
      return { metadata: { name: 'hello', namespace: 'default', labels, ownerReferences }, spec } as Route;
    };
    const label = { 'serving.knative.dev/service': 'hello' };
    const check = (object: Route, old?: Route) => routeDefinition.validate?.(object, context(old));
    const missing = /missing field\(s\): metadata\.labels\.serving\.knative\.dev\/service/;
    check(route(label, true));
    assert.throws(() => check(route(label, false)), missing);
    assert.throws(() => check(route(label, false), route({}, false)), missing);
    check(route(label, false), route(label, true));
  });

  test('a route needs a revision or a configuration', () => {
    const route = { metadata: { name: 'r', namespace: 'default' }, spec: { traffic: [{ percent: 100 }] } } as Route;
    routeDefinition.default?.(route, context<Route>());
    assert.throws(
      () => routeDefinition.validate?.(route, context<Route>()),
      /expected exactly one, got neither: spec\.traffic\[0\]\.configurationName, spec\.traffic\[0\]\.revisionName/,
    );
  });
});

describe('shapes of 0.8', () => {
  const convert = (spec: Json) => {
    const converted = serviceDefinition.convert?.({ metadata: { name: 'hello' }, spec } as KubeObject, 'v1alpha1', 'v1') as
      | Service
      | undefined;
    return converted?.spec as Json;
  };
  const configuration = { revisionTemplate: { spec: { container: { image, env: [{ name: 'TARGET', value: 'x' }] } } } };
  const template = { spec: { containers: [{ image, env: [{ name: 'TARGET', value: 'x' }] }] } };

  test('runLatest, pinned and release become template and traffic', () => {
    assert.deepEqual(convert({ runLatest: { configuration } }), { template, traffic: [{ latestRevision: true, percent: 100 }] });
    assert.deepEqual(convert({ pinned: { revisionName: 'hello-1', configuration } })['traffic'], [
      { revisionName: 'hello-1', latestRevision: false, percent: 100 },
    ]);
    assert.deepEqual(convert({ release: { revisions: ['a', '@latest'], rolloutPercent: 30, configuration } })['traffic'], [
      { revisionName: 'a', latestRevision: false, percent: 70, tag: 'current' },
      { latestRevision: true, percent: 30, tag: 'candidate' },
      { latestRevision: true, percent: 0, tag: 'latest' },
    ]);
  });

  test('the deprecated field wins over the inline one', () => {
    const inline = { template: { spec: { containers: [{ image: 'old' }] } }, traffic: [{ revisionName: 'x', percent: 100 }] };
    assert.deepEqual(convert({ ...inline, runLatest: { configuration } }), { template, traffic: [{ latestRevision: true, percent: 100 }] });
  });

  test('manual and builds are refused', () => {
    assert.throws(() => convert({ manual: {} }), /must not set the field\(s\): spec\.manual/);
    assert.throws(
      () => configurationDefinition.convert?.({ metadata: {}, spec: { build: {} } } as KubeObject, 'v1alpha1', 'v1'),
      /must not set the field\(s\): spec\.build/,
    );
  });

  test('v1 to v1alpha1 and back changes nothing', () => {
    const target = fc.record({ tag: fc.string({ minLength: 1 }), percent: fc.nat(100), latestRevision: fc.boolean() });
    const container = fc.record({ image: fc.string(), name: fc.string(), args: fc.array(fc.string()) });
    const spec = fc.record({
      template: fc.record({ spec: fc.record({ containers: fc.array(container), timeoutSeconds: fc.nat() }) }),
      traffic: fc.array(target),
    });
    fc.assert(
      fc.property(spec, (value) => {
        const object = structuredClone({
          apiVersion: 'serving.knative.dev/v1',
          metadata: { name: 'x' },
          spec: value,
        }) as unknown as KubeObject;
        const there = serviceDefinition.convert?.(object, 'v1', 'v1alpha1') as KubeObject;
        assert.deepEqual(serviceDefinition.convert?.(there, 'v1alpha1', 'v1'), object);
      }),
    );
  });
});

describe('a dry run', () => {
  const dryRun = (container: Json, more: Json = {}) => {
    const object = service(withContainer(container, more));
    const scope = { ...context<Service>(), dryRun: true };
    serviceDefinition.default?.(object, scope);
    serviceDefinition.validate?.(object, scope);
  };

  test('refuses a template whose pod would be refused', () => {
    assert.throws(
      () => dryRun({ name: '&InvalidValue' }),
      /denied the request: validation callback failed: dry run failed with Pod "dry-run-validation" is invalid: spec\.containers\[0\]\.name: Invalid value: "&InvalidValue": .*: spec\.template$/,
    );
  });

  test('accepts what a revision may leave open', () => {
    const open = {
      ports: [{ containerPort: 8081 }],
      livenessProbe: { httpGet: { path: '/' } },
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    };
    assert.doesNotThrow(() => dryRun(open, { volumes: [{ name: 'v', secret: { secretName: 's' } }] }));
    assert.doesNotThrow(() => dryRun({}));
  });
});
