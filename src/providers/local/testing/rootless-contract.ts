import { createServer } from 'node:http';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import {
  createLocalEngine,
  enterUserNamespace,
  isInUserNamespace,
  type LocalContainerEngine,
  type RuntimeName,
} from '#providers/local/engine.ts';
import { describeEngine } from '#providers/local/testing/engine-contract.ts';
import { busyboxImage } from '#providers/local/testing/images.ts';
import { containerSpec, sandboxSpec } from '#providers/local/testing/specs.ts';

/**
 * Run as an ordinary user: `node rootless-contract.ts <directory> <host port> <published port> <runtime>`. Moves itself into the user namespace as the agent does, then runs the
 * engine contract there and what only rootless engines have. engine.itest.ts starts it.
 */
const [directory = '', hostPort = '0', publishedPort = '0', runtime = 'namespaces'] = process.argv.slice(2);
const published = `published ${publishedPort}`;
const place = { dataDir: join(directory, 'data'), runDir: join(directory, 'run') };
await enterUserNamespace({ ...place, expose: [{ port: 7777, hostPort: Number(hostPort) }], publish: [Number(publishedPort)] });
assert.ok(isInUserNamespace());

function open(): Promise<LocalContainerEngine> {
  return createLocalEngine({
    ...place,
    id: directory,
    runtime: runtime as RuntimeName,
    prepared: 2,
    clock: systemClock,
    logger: silentLogger,
  });
}

describeEngine('an ordinary user', false, { open, severalUsers: false, alwaysNoNewPrivileges: runtime === 'bwrap' });

describe('what an ordinary user’s pods need besides', () => {
  let engine: LocalContainerEngine;
  before(async () => {
    engine = await open();
  });
  after(() => engine.cleanupAll());

  test('a pod’s port is reached through its unix socket, and the pod reaches an exposed port of the host', async () => {
    mkdirSync(join(directory, 'image'), { recursive: true });
    chmodSync(directory, 0o755);
    const image = busyboxImage(join(directory, 'image'));
    const { dial } = await engine.createSandbox({ ...sandboxSpec('ports'), ports: [7070, 7071, 7072] }, AbortSignal.timeout(5000));
    const { bridgeIp } = engine.capabilities.podNetwork ?? { bridgeIp: '' };
    const script = `until wget -q -O /tmp/x http://${bridgeIp}:7777/; do sleep 0.05; done; (nc -ll -p 7072 -e cat /tmp/x &); nc -ll -p 7070 -e cat /tmp/x`;
    await engine.startContainer(
      'ports',
      containerSpec(image, ['sh', '-c', script], join(directory, 'ports.log')),
      AbortSignal.timeout(5000),
    );
    for (const port of ['7070', '7072']) {
      const path = dial?.replace('unix:', '').replace('{port}', port) ?? '';
      let answer = '';
      for (const end = performance.now() + 10_000; answer === '' && performance.now() < end;) {
        answer = await text(connect(path)).catch(() => '');
      }
      assert.equal(answer, 'from the host');
    }
    await engine.removeSandbox('ports');
  });
});

/** A server of this process, for the test outside: it is reached at the published port. */
const server = createServer((_request, response) => response.end(published));
server.listen(Number(publishedPort), '127.0.0.1');
server.unref();
