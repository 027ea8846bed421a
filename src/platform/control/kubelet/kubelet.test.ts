import assert from 'node:assert/strict';
import { Duplex, PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import type { Node } from '#apis/core/v1/node.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { chooseContainer } from '#platform/control/kubelet/choose-container.ts';
import { addressOf } from '#platform/control/kubelet/kubelet-client.ts';
import { logOptions } from '#platform/control/kubelet/log.ts';
import { splice } from '#platform/control/kubelet/splice.ts';

function podOf(containers: string[], initContainers: string[] = []): Pod {
  const named = (names: string[]) => names.map((name) => ({ name, image: 'x' }));
  return { metadata: { name: 'p' }, spec: { containers: named(containers), initContainers: named(initContainers) } } as unknown as Pod;
}

function nodeOf(annotations: Record<string, string>): Node {
  const status = { addresses: [{ type: 'InternalIP', address: '10.0.0.5' }], daemonEndpoints: { kubeletEndpoint: { Port: 10250 } } };
  return { metadata: { name: 'n', annotations }, spec: {}, status } as Node;
}

/** A connection and its far end: what one writes the other reads. */
function connection(): { near: Duplex; far: Duplex } {
  const [out, back] = [new PassThrough(), new PassThrough()];
  const ends = { near: Duplex.from({ readable: out, writable: back }), far: Duplex.from({ readable: back, writable: out }) };
  // A pipe's own end of a broken connection is of no interest.
  for (const stream of [out, back, ends.far]) stream.on('error', () => {});
  return ends;
}

describe('choosing a container', () => {
  it('takes the named one, or the only one', () => {
    assert.equal(chooseContainer(podOf(['a', 'b']), 'b'), 'b');
    assert.equal(chooseContainer(podOf(['a'], ['i']), ''), 'a');
    assert.equal(chooseContainer(podOf(['a'], ['i']), 'i'), 'i');
  });

  it('refuses what is not there or not clear, naming the choice', () => {
    assert.throws(() => chooseContainer(podOf(['a']), 'x'), { message: 'container x is not valid for pod p', code: 400 });
    assert.throws(() => chooseContainer(podOf(['a', 'b'], ['i']), ''), {
      message: 'a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]',
      code: 400,
    });
  });
});

describe('the address of a kubelet', () => {
  it('is the internal one unless the node says how it is dialled', () => {
    assert.deepEqual(addressOf(nodeOf({})), { host: '10.0.0.5', port: 10250 });
    assert.deepEqual(addressOf(nodeOf({ 'node.dormouse.dev/dial': 'unix:/run/x.sock' })), { socketPath: '/run/x.sock' });
    assert.deepEqual(addressOf(nodeOf({ 'node.dormouse.dev/dial': 'tcp:[::1]:99' })), { host: '::1', port: 99 });
  });
});

describe('log options', () => {
  it('pass what is given, as kubelet writes it', () => {
    const query = new URLSearchParams('container=a&follow=1&tailLines=0&sinceSeconds=5&timestamps=true&previous=false');
    assert.equal(logOptions(query, 'p').toString(), 'tailLines=0&sinceSeconds=5&follow=true&timestamps=true');
  });

  it('are refused with the field when they make no sense', () => {
    const invalid = (query: string, message: RegExp) => assert.throws(() => logOptions(new URLSearchParams(query), 'p'), { message });
    invalid('tailLines=-1', /PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0/);
    invalid('limitBytes=0', /limitBytes: Invalid value: 0: must be greater than 0/);
    invalid('sinceSeconds=1&sinceTime=2024-01-01T00:00:00Z', /at most one of `sinceTime` or `sinceSeconds` may be specified/);
    invalid('tailLines=many', /invalid syntax/);
    invalid('sinceTime=yesterday', /no RFC 3339 time/);
  });
});

describe('splice', () => {
  it('carries all bytes before the end, both ways', async () => {
    const [client, server] = [connection(), connection()];
    splice(client.near, server.near);
    const bytes = Buffer.alloc(1_000_000, 'x');
    client.far.end(bytes);
    assert.deepEqual(await buffer(server.far), bytes);
    server.far.end('answer');
    assert.equal(String(await buffer(client.far)), 'answer');
  });

  it('cuts one side when the other breaks', async () => {
    const [client, server] = [connection(), connection()];
    const { promise, resolve } = Promise.withResolvers<void>();
    server.near.once('close', () => resolve());
    splice(client.near, server.near);
    client.near.destroy(new Error('broken'));
    await promise;
    assert.ok(server.near.destroyed);
  });
});
