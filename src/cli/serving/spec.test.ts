import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { notFound } from '#apis/meta/status.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { Service } from '#apis/serving/v1/schemas.ts';
import type { Client } from '#client/client.ts';
import { UserError } from '#core/errors.ts';
import { readDeployOptions } from '#cli/serving/deploy-options.ts';
import { deployService } from '#cli/serving/spec.ts';

/** Holds at most one service. */
function clientWith(existing?: Service): Client {
  const resource = {
    get: () => (existing === undefined ? Promise.reject(notFound(services.group, services.plural, 'hello')) : Promise.resolve(existing)),
    create: (service: Service) => Promise.resolve(service),
    update: (service: Service) => Promise.resolve(service),
  };
  return { of: () => resource } as unknown as Client;
}

const deploy = async (options: Record<string, string | boolean | string[]>, existing?: Service) =>
  (await deployService(clientWith(existing), { namespace: 'default', name: 'hello', image: 'img:2' }, readDeployOptions({ options })))
    .service;

const existing = {
  metadata: { name: 'hello', namespace: 'default', resourceVersion: '7', annotations: { kept: 'yes' } },
  spec: {
    template: {
      metadata: { name: 'hello-first', annotations: { mine: '1' } },
      spec: {
        containers: [
          { image: 'side:1', name: 'side' },
          {
            image: 'img:1',
            name: 'main',
            ports: [{ containerPort: 9000 }],
            env: [
              { name: 'A', value: '1' },
              { name: 'B', value: '2' },
            ],
          },
        ],
      },
    },
  },
  status: { traffic: [{ revisionName: 'hello-first', percent: 100, latestRevision: true, tag: 'stable' }] },
} as unknown as Service;

describe('the service a deploy makes', () => {
  test('of an image alone has one container and nothing that was not asked for', async () => {
    const { spec } = await deploy({});
    assert.deepEqual(spec?.template?.spec?.containers, [{ image: 'img:2' }]);
    assert.equal(spec?.traffic, undefined);
  });

  test('takes port, environment, limits, concurrency and scale from the options', async () => {
    const options = { port: '3000', env: ['A=1', 'B=x=y'], memory: '256Mi', cpu: '500m', concurrency: '10', min: '1', max: '5' };
    const { spec } = await deploy(options);
    assert.deepEqual(spec?.template?.spec?.containers, [
      {
        image: 'img:2',
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: 'x=y' },
        ],
        ports: [{ containerPort: 3000 }],
        resources: { limits: { cpu: '500m', memory: '256Mi' } },
      },
    ]);
    assert.equal(spec?.template?.spec?.containerConcurrency, 10);
    const notes = spec?.template?.metadata?.annotations;
    assert.deepEqual([notes?.['autoscaling.knative.dev/min-scale'], notes?.['autoscaling.knative.dev/max-scale']], ['1', '5']);
  });

  test('keeps what an existing one has, changes the container with the port, and forgets the name of its last revision', async () => {
    const before = structuredClone(existing);
    const { metadata, spec } = await deploy({ env: ['B=3'] }, existing);
    assert.deepEqual(metadata, existing.metadata);
    assert.equal(spec?.template?.metadata?.name, undefined);
    assert.equal(spec?.template?.metadata?.annotations?.['mine'], '1');
    const [side, main] = spec?.template?.spec?.containers ?? [];
    assert.deepEqual([side?.image, main?.image], ['side:1', 'img:2']);
    assert.deepEqual(main?.env, [
      { name: 'A', value: '1' },
      { name: 'B', value: '3' },
    ]);
    assert.deepEqual(existing, before, 'what was read is not changed');
  });

  test('--no-traffic pins the traffic where it is, --tag adds a target without a share', async () => {
    const { spec } = await deploy({ 'no-traffic': true, tag: 'candidate' }, existing);
    assert.deepEqual(spec?.traffic, [
      { revisionName: 'hello-first', percent: 100, latestRevision: false, tag: 'stable' },
      { latestRevision: true, percent: 0, tag: 'candidate' },
    ]);
  });

  for (const [options, text] of [
    [{ env: ['=x'] }, '--env: "=x" is not KEY=VALUE'],
    [{ env: ['x'] }, '--env: "x" is not KEY=VALUE'],
    [{ port: '80a' }, '--port: "80a" is not a whole number from 1 to 65535'],
    [{ port: '0' }, '--port: "0" is not a whole number from 1 to 65535'],
    [{ concurrency: '1001' }, '--concurrency: "1001" is not a whole number from 0 to 1000'],
    [{ min: '-1' }, '--min: "-1" is not a whole number from 0 to 1000000'],
    [{ max: '1.5' }, '--max: "1.5" is not a whole number from 0 to 1000000'],
    [{ min: '3', max: '2' }, '--min 3 is more than --max 2'],
    [{ cpu: '-1' }, '--cpu: "-1" is not an amount'],
    [{ memory: 'lots' }, '--memory: "lots" is not an amount'],
    [{ memory: '0' }, '--memory: "0" is not an amount'],
    [{ tag: 'New_One' }, '--tag: "New_One" cannot be part of a URL'],
    [{ 'no-traffic': true }, '--no-traffic needs a service that exists already'],
  ] as const) {
    test(`is refused with: ${text}`, async () => {
      await assert.rejects(
        async () => deploy(options as never),
        (error) => error instanceof UserError && error.message === text,
      );
    });
  }
});
