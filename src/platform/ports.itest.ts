import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Origin } from '#core/config.ts';
import { UserError } from '#core/errors.ts';
import { choosePorts } from '#platform/ports.ts';
import { portSettings, type PlatformSettings } from '#platform/settings.ts';

describe('ports', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dormouse-ports-'));
  });
  after(() => rm(directory, { recursive: true }));
  const settingsOf = (ports: Partial<PlatformSettings>) =>
    ({ listen: '127.0.0.1', ...Object.fromEntries(portSettings.map((name) => [name, 0])), ...ports }) as PlatformSettings;
  const choose = (ports: Partial<PlatformSettings>, origins: Readonly<Record<string, Origin>> = {}, file = 'ports.json') =>
    choosePorts(settingsOf(ports), origins, join(directory, file));

  test('any free one is one the kernel gives to nobody by itself, and each listener gets its own', async () => {
    const chosen = await choose({});
    const ports = portSettings.map((name) => chosen[name]);
    assert.equal(new Set(ports).size, portSettings.length);
    const [low = 0, high = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').split(/\s+/).map(Number);
    assert.deepEqual(
      ports.filter((port) => (port >= low && port <= high) || port >= 30_000 || port < 10_000),
      [],
    );
  });

  test('one that is taken falls to that of last time where it was not asked for, and is refused where it was', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const first = await choose({ httpPort: port }, {}, 'again.json');
      assert.notEqual(first.httpPort, port);
      assert.equal((await choose({ httpPort: port }, {}, 'again.json')).httpPort, first.httpPort);
      await assert.rejects(choose({ httpPort: port }, { httpPort: 'flag' }), (error: unknown) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, new RegExp(`^port ${port} of --http-port cannot be listened on at 127\\.0\\.0\\.1`));
        return true;
      });
    } finally {
      server.close();
    }
  });
});
