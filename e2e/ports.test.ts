import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '#core/testing.ts';
import { withoutKubectl } from './support/kubectl.ts';
import { OwnNetwork, withoutOwnNetwork } from './support/own-network.ts';
import { TestPlatform } from './support/platform.ts';

/** Which ports a platform listens on where others want them too. */

const defaults = { apiPort: 6443, httpPort: 80, httpsPort: 443, registryPort: 5000, kubeletPort: 10250, adminPort: 9901 };

async function portsOf({ dataDir }: TestPlatform): Promise<Record<keyof typeof defaults, number>> {
  const { formerRegistryPorts: _, ...ports } = JSON.parse(await readFile(join(dataDir, 'ports.json'), 'utf8')) as typeof defaults & {
    formerRegistryPorts: number[];
  };
  return ports;
}

/** Reaches the node's API through the server that the kubeconfig names: two ports in one go. */
function nodeAnswers(platform: TestPlatform): Promise<string> {
  return platform.kubectl(['get', '--raw', '/api/v1/nodes/dormouse/proxy/healthz']);
}

describe('platforms on the default ports', { skip: withoutKubectl || withoutOwnNetwork() }, () => {
  let network: OwnNetwork;
  let directory = '';
  let platforms: readonly TestPlatform[] = [];
  before(async () => {
    network = await OwnNetwork.create();
    directory = await mkdtemp(join(tmpdir(), 'dormouse-ports-'));
    platforms = ['one', 'two'].map((name) => new TestPlatform(join(directory, name), { network }));
  });
  after(async () => {
    await Promise.all(platforms.map((platform) => platform[Symbol.asyncDispose]()));
    await network[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test('two that remember the same ports and are started at the same time both come up, each with its own', async () => {
    for (const platform of platforms) {
      await platform.up();
      assert.deepEqual(await portsOf(platform), defaults);
      await platform.down();
    }
    await Promise.all(platforms.map((platform) => platform.up()));
    const ports = (await Promise.all(platforms.map(portsOf))).flatMap((own) => Object.values(own));
    assert.equal(new Set(ports).size, ports.length, ports.join(' '));
    for (const platform of platforms) assert.equal(await nodeAnswers(platform), 'ok');
  });
});

describe('a port that a program takes after it was chosen and before it is listened on', { skip: withoutKubectl }, () => {
  const program = createServer((socket) => socket.destroy());
  let platform: TestPlatform;
  before(async () => {
    platform = new TestPlatform(await mkdtemp(join(tmpdir(), 'dormouse-ports-')), {});
  });
  after(async () => {
    await platform[Symbol.asyncDispose]();
    program.close();
  });

  test('is chosen anew', async () => {
    const starting = platform.up();
    starting.catch(() => {});
    const chosen = await until('the choice', () => portsOf(platform).catch(() => undefined), { timeoutMs: 60_000, everyMs: 2 });
    program.listen(chosen.kubeletPort, '127.0.0.1');
    await once(program, 'listening');
    await starting;
    assert.notEqual(platform.port('kubelet'), chosen.kubeletPort);
    assert.equal(await nodeAnswers(platform), 'ok');
  });
});
