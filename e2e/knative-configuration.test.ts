import { mkdir, writeFile } from 'node:fs/promises';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { mustRun, until } from './support/run.ts';

/** Keys of Knative's configuration maps that only show with containers, changed while they run. */

const image = 'localhost/http2';
const server = `
import { createServer } from 'node:http2';
createServer((request, response) => response.end('HTTP/' + request.httpVersion + ' ' + request.url + '\\n')).listen(process.env.PORT);
`;

describe('Knative’s configuration maps', { skip: withoutKubectl }, () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await startPlatform();
    const source = join(platform.dataDir, 'http2-server');
    await mkdir(source);
    await writeFile(join(source, 'package.json'), '{"name": "http2", "type": "module", "scripts": {"start": "node server.js"}}');
    await writeFile(join(source, 'server.js'), server);
    await platform.dormouse(['build', source, '-t', image]);
  });
  after(() => platform[Symbol.asyncDispose]());

  const configure = (map: string, data: Record<string, string>) =>
    platform.kubectl(['patch', 'configmap', map, '-n', 'knative-serving', '--type=merge', '-p', JSON.stringify({ data })]);

  test('autodetect-http2: a container that speaks HTTP/2 alone passes its readiness probe by HTTP', async () => {
    const container = {
      image,
      ports: [{ name: 'h2c', containerPort: 8080 }],
      readinessProbe: { httpGet: { path: '/health' }, periodSeconds: 1 },
    };
    await platform.apply({
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Service',
      metadata: { name: 'two' },
      spec: { template: { spec: { containers: [container] } } },
    });
    await until('a failed probe', async () => {
      const events = await platform.kubectl(['get', 'events', '--field-selector=reason=Unhealthy', '-o', 'jsonpath={.items[*].message}']);
      return events.includes('Readiness probe failed: Get "http://') ? true : undefined;
    });
    assert.notEqual(
      await platform.kubectl(['get', 'ksvc', 'two', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}']),
      'True',
    );
    await configure('config-features', { 'autodetect-http2': 'Enabled' });
    await platform.kubectl(['wait', 'ksvc/two', '--for=condition=Ready', '--timeout=60s']);
    assert.equal(
      await mustRun('curl', ['-sS', '--max-time', '20', '-H', 'Host: two.default.localhost', `${platform.gatewayUrl}/called`]),
      'HTTP/2.0 /called\n',
    );
    assert.equal(await platform.kubectl(['get', 'revisions', '-o', 'jsonpath={.items[*].metadata.name}']), 'two-00001');
  });

  test('pod-autoscaler-class: new revisions are scaled by it, and one that is given another class is let go', async () => {
    const scalers = () => platform.kubectl(['get', 'hpa', '-o', 'jsonpath={.items[*].metadata.name}']);
    await configure('config-autoscaler', { 'pod-autoscaler-class': 'hpa.autoscaling.knative.dev' });
    await platform.apply({
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Service',
      metadata: { name: 'classy' },
      spec: { template: { spec: { containers: [{ image, ports: [{ name: 'h2c', containerPort: 8080 }] }] } } },
    });
    await platform.kubectl(['wait', 'ksvc/classy', '--for=condition=Ready', '--timeout=60s']);
    await configure('config-autoscaler', { 'pod-autoscaler-class': '' });
    assert.equal(await scalers(), 'classy-00001');
    const change = 'autoscaling.knative.dev/class=kpa.autoscaling.knative.dev';
    await platform.kubectl(['annotate', 'revision', 'classy-00001', change]);
    await until('none left', async () => ((await scalers()) === '' ? true : undefined));
  });
});
