import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { hostSocketsOf, parseSockets, takenHostPort, type HostSocket } from '#node/engine-provider/host-ports.ts';
import { ProviderFixture, testPod } from '#node/testing/fixture.ts';

const ports = (hostPort: number, more: object = {}) => testPod({ containers: [{ ports: [{ containerPort: 80, hostPort, ...more }] }] });
const held =
  (address: string, protocol: HostSocket['protocol'] = 'TCP') =>
  () => [{ protocol, address, port: 8080 }];

describe('host ports of a pod', () => {
  it('are refused where a process of the machine listens at that address or everywhere', () => {
    const text = 'cannot open hostport 8080 for pod web_default: listen tcp4 :8080: bind: address already in use';
    assert.equal(takenHostPort(ports(8080), held('0.0.0.0')), text);
    assert.equal(takenHostPort(ports(8080), held('127.0.0.1')), text);
    assert.match(takenHostPort(ports(8080, { hostIP: '127.0.0.1' }), held('0.0.0.0')) ?? '', /listen tcp4 127\.0\.0\.1:8080/);
    assert.match(takenHostPort(ports(8080, { protocol: 'UDP' }), held('0.0.0.0', 'UDP')) ?? '', /listen udp4 :8080/);
  });

  it('can be had where only another address, protocol or port is taken', () => {
    assert.equal(takenHostPort(ports(8080, { hostIP: '127.0.0.1' }), held('192.0.2.1')), undefined);
    assert.equal(takenHostPort(ports(8080), held('0.0.0.0', 'UDP')), undefined);
    assert.equal(takenHostPort(ports(8081), held('0.0.0.0')), undefined);
    assert.equal(takenHostPort(testPod(), held('0.0.0.0')), undefined);
  });

  it('are left to the program itself in the host’s network', () => {
    const pod = testPod({ hostNetwork: true, containers: [{ ports: [{ containerPort: 8080, hostPort: 8080 }] }] });
    assert.equal(takenHostPort(pod, held('0.0.0.0')), undefined);
  });

  it('a socket of this process is seen while it listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const mine = () => hostSocketsOf(process.pid).filter((one) => one.port === port && one.protocol === 'TCP');
    assert.deepEqual(mine(), [{ protocol: 'TCP', address: '127.0.0.1', port }]);
    await new Promise((resolve) => server.close(resolve));
    assert.deepEqual(mine(), []);
  });

  it('IPv6 tables: the wildcard and mapped addresses count, others do not', () => {
    const row = (address: string) => `   0: ${address}:1F90 00000000000000000000000000000000:0000 0A 0:0`;
    const table = ['header', row('0'.repeat(32)), row('0000000000000000FFFF00000100007F'), row('00000000000000000000000001000000')].join(
      '\n',
    );
    assert.deepEqual(
      parseSockets(table, 'TCP', '0A').map(({ address }) => address),
      ['0.0.0.0', '127.0.0.1'],
    );
  });

  it('a pod waits for its port with the event of a failed sandbox, and runs when the port is free', async () => {
    await using fixture = await ProviderFixture.create();
    fixture.hostSockets = held('0.0.0.0')();
    const pod = ports(8080);
    await fixture.provider.createPod(pod);
    await fixture.until(() => fixture.events.texts.length > 0);
    const failed =
      'FailedCreatePodSandBox: Failed to create pod sandbox: cannot open hostport 8080 for pod web_default: listen tcp4 :8080: bind: address already in use';
    assert.deepEqual(fixture.events.texts, [failed]);
    const status = () => fixture.status(pod.metadata.uid ?? '');
    assert.equal(status()?.phase, 'Pending');
    assert.equal(status()?.containerStatuses?.[0]?.state?.waiting?.reason, 'ContainerCreating');
    fixture.hostSockets = [];
    await fixture.advance(1_000);
    await fixture.until(() => status()?.phase === 'Running');
  });
});
