import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import type { KindDefinition } from '#apis/definition.ts';
import { imageResolutionDefinition, type ImageResolution } from '#apis/dormouse/v1/image-resolution.ts';
import { StatusError } from '#apis/meta/status.ts';
import { builtinKinds } from '#apis/registry.ts';
import { admin, call, startTestServer } from '#apiserver/testing/server.ts';
import { createClient } from '#client/api-client.ts';
import { isRetriable } from '#client/errors.ts';
import { inProcessTransport } from '#client/in-process-transport.ts';
import { imageResolver } from '#platform/knative/image-resolver.ts';

const digest = `sha256:${createHash('sha256').update('m').digest('hex')}`;
const user = { namespace: 'default', serviceAccountName: 'builder', imagePullSecrets: [{ name: 's' }] };
const never = new AbortController().signal;
const clusterKinds = [...builtinKinds, imageResolutionDefinition] as readonly KindDefinition[];

describe('the image resolver', () => {
  test('asks a cluster that answers ImageResolutions', async () => {
    await using server = await startTestServer({ kinds: clusterKinds });
    const asked: unknown[] = [];
    server.addReview({
      group: 'dormouse.dev',
      plural: 'imageresolutions',
      answer({ namespace, object }) {
        const { spec } = object as ImageResolution;
        asked.push([namespace, spec]);
        if (spec.image === 'example.com/down') return Promise.reject(new StatusError('ServiceUnavailable', 'the node does not answer'));
        return Promise.resolve(spec.image === 'example.com/a' ? { image: `example.com/a@${digest}` } : { error: 'not found' });
      },
    });
    const resolver = imageResolver(createClient(inProcessTransport(server, admin)));
    assert.equal(await resolver.resolve('example.com/a', user, never), `example.com/a@${digest}`);
    await assert.rejects(resolver.resolve('example.com/b', user, never), /^ImageError: not found$/);
    await assert.rejects(resolver.resolve('example.com/down', user, never), isRetriable);
    assert.deepEqual(asked[0], ['default', { image: 'example.com/a', serviceAccountName: 'builder', imagePullSecrets: [{ name: 's' }] }]);
  });

  test('a question without a proper image is refused', async () => {
    await using server = await startTestServer({ kinds: clusterKinds });
    server.addReview({ group: 'dormouse.dev', plural: 'imageresolutions', answer: () => Promise.resolve({}) });
    const body = { apiVersion: 'dormouse.dev/v1', kind: 'ImageResolution', metadata: { name: 'q' }, spec: { image: 'UPPER' } };
    const answer = await call(server, 'POST', '/apis/dormouse.dev/v1/namespaces/default/imageresolutions', { body });
    assert.equal(answer.status, 422);
  });

  test("asks the image's registry on any other cluster, with the pull secrets of pod and account", async () => {
    const seen: unknown[] = [];
    const registry = createServer(({ method, url, headers }, response) => {
      seen.push([method, url, headers.authorization === undefined ? '' : Buffer.from(headers.authorization.slice(6), 'base64').toString()]);
      if (headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      else response.writeHead(200, { 'docker-content-digest': digest }).end();
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
    try {
      await using server = await startTestServer();
      const auths = { [host]: { username: 'u', password: 'p' } };
      const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') };
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'of-account' }, type: 'kubernetes.io/dockerconfigjson', data };
      const account = {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'builder' },
        imagePullSecrets: [{ name: 'of-account' }],
      };
      await call(server, 'POST', '/api/v1/namespaces/default/secrets', { body: secret });
      await call(server, 'POST', '/api/v1/namespaces/default/serviceaccounts', { body: account });
      const resolver = imageResolver(createClient(inProcessTransport(server, admin)));
      assert.equal(await resolver.resolve(`${host}/a:1`, user, never), `${host}/a@${digest}`);
      assert.deepEqual(seen, [
        ['HEAD', '/v2/a/manifests/1', ''],
        ['HEAD', '/v2/a/manifests/1', 'u:p'],
      ]);
    } finally {
      registry.close();
    }
  });
});
