import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutKubectl } from './support/kubectl.ts';
import { OwnNetwork, withoutOwnNetwork } from './support/own-network.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';

/** A server's platform: its public listeners are on every address, on the usual ports, and pods call services all the same. */

const hello = fileURLToPath(new URL('../examples/helloworld-nodejs', import.meta.url));
const image = 'localhost/hello';
const outside = '198.51.100.1';

describe('a platform that listens on all addresses', { skip: withoutKubectl || withoutOwnNetwork() }, () => {
  let network: OwnNetwork;
  let platform: TestPlatform;
  before(async () => {
    network = await OwnNetwork.create({ address: outside });
    platform = await startPlatform({ network, flags: ['--listen=0.0.0.0'] });
    await platform.dormouse(['build', hello, '-t', image]);
    await platform.apply(service('open', {}), service('inner', { 'networking.knative.dev/visibility': 'cluster-local' }), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'client' },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'c', image, command: ['node', '-e', 'setInterval(() => {}, 1000)'] }],
      },
    });
    for (const name of ['open', 'inner']) await platform.kubectl(['wait', `ksvc/${name}`, '--for=condition=Ready', '--timeout=60s']);
    await platform.waitForPod('client');
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await network?.[Symbol.asyncDispose]();
  });

  const service = (name: string, labels: Record<string, string>) => ({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: { template: { spec: { containers: [{ image, env: [{ name: 'TARGET', value: name }] }] } } },
  });
  const curl = (host: string) => platform.type(`curl -sS -m 20 -w ' %{http_code}' -H 'Host: ${host}' http://${outside}/`);

  test('is called from outside by public names alone', async () => {
    assert.equal(await curl('open.default.localhost'), 'Hello open!\n 200');
    for (const host of ['open.default', 'inner.default.svc.cluster.local']) assert.match(await curl(host), / 404$/, host);
  });

  test('is called by pods by the names inside the cluster', async () => {
    for (const name of ['open', 'inner']) {
      const program = `require('node:http').get('http://${name}.default.svc.cluster.local', (answer) => answer.pipe(process.stdout))`;
      assert.equal(await platform.kubectl(['exec', 'client', '--', 'node', '-e', program]), `Hello ${name}!\n`);
    }
  });
});
