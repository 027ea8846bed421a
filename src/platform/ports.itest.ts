import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Origin } from '#core/config.ts';
import { UserError } from '#core/errors.ts';
import { choosePorts } from '#platform/ports.ts';
import { portSettings, type PlatformSettings, type PortSetting } from '#platform/settings.ts';

describe('ports', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dormouse-ports-'));
  });
  after(() => rm(directory, { recursive: true }));
  let claims = new DisposableStack();
  afterEach(() => {
    claims.dispose();
    claims = new DisposableStack();
  });
  const settingsOf = (ports: Partial<PlatformSettings>) =>
    ({ listen: '127.0.0.1', ...Object.fromEntries(portSettings.map((name) => [name, 0])), ...ports }) as PlatformSettings;
  const choose = (ports: Partial<PlatformSettings>, origins: Readonly<Record<string, Origin>> = {}, file = 'ports.json') =>
    choosePorts(settingsOf(ports), origins, join(directory, file), claims);

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
      claims.dispose();
      claims = new DisposableStack();
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

  test('what another platform has chosen is taken, listened on or not, whichever of them was first last time', async () => {
    const ports = await freePorts();
    const [others, ours] = [new DisposableStack(), new DisposableStack()];
    try {
      const other = await choosePorts(settingsOf(ports), {}, join(directory, 'other.json'), others);
      assert.deepEqual({ ...other, formerRegistryPorts: [] }, { ...ports, formerRegistryPorts: [] });
      writeFileSync(join(directory, 'ours.json'), JSON.stringify(ports));
      const mine = await choosePorts(settingsOf(ports), {}, join(directory, 'ours.json'), ours);
      const all = [...portSettings.map((name) => mine[name]), ...portSettings.map((name) => other[name])];
      assert.equal(new Set(all).size, all.length);
      await assert.rejects(choose(ports, { kubeletPort: 'flag' }), /of --kubelet-port cannot be listened on/);
      others.dispose();
      claims.dispose();
      claims = new DisposableStack();
      assert.deepEqual(portValues(await choose(ports, {}, 'third.json')), portValues(ports));
    } finally {
      others.dispose();
      ours.dispose();
    }
  });

  test('a port that was asked for is not given to the default of another listener', async () => {
    const { apiPort } = await freePorts();
    const chosen = await choose({ apiPort, adminPort: apiPort }, { adminPort: 'flag' });
    assert.equal(chosen.adminPort, apiPort);
    assert.notEqual(chosen.apiPort, apiPort);
  });

  test('each is tried at the address it will be listened on', async () => {
    const { adminPort, apiPort } = await freePorts();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(adminPort, '127.0.0.1', resolve));
    try {
      const chosen = await choose({ listen: '127.0.0.2', adminPort, apiPort });
      assert.notEqual(chosen.adminPort, adminPort);
      assert.equal(chosen.apiPort, apiPort);
    } finally {
      server.close();
    }
  });

  /** Ports that nobody has: as defaults here, because the real ones may be in use. */
  async function freePorts(): Promise<Record<PortSetting, number>> {
    using found = new DisposableStack();
    const { formerRegistryPorts: _, ...ports } = await choosePorts(settingsOf({}), {}, join(directory, 'free.json'), found);
    return ports;
  }
});

function portValues(ports: Readonly<Record<PortSetting, number>>): number[] {
  return portSettings.map((name) => ports[name]);
}
