import assert from 'node:assert/strict';
import { randomBytes, createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutKubectl } from './support/kubectl.ts';
import { ordinaryUser, withoutOrdinaryUser } from './support/ordinary-user.ts';
import { OwnNetwork, withoutOwnNetwork } from './support/own-network.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, Running, until } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';

/** What an ordinary user's pods reach beyond the platform: other machines and their names by TCP, never this machine's loopback. */
const withoutNft = findProgram('nft') === undefined && 'nft is not installed';
const skip = withoutKubectl || withoutTestImage || withoutNft || withoutOwnNetwork() || withoutOrdinaryUser();
const outside = '198.51.100.1';
const program = fileURLToPath(new URL('support/outside-world.ts', import.meta.url));

describe('an ordinary user’s pods and the world outside', { skip }, () => {
  let network: OwnNetwork;
  let world: Running;
  let platform: TestPlatform;

  before(async () => {
    network = await OwnNetwork.create({ address: outside, nameserver: '127.0.0.1' });
    world = new Running(...network.inside(process.execPath, [program, outside]));
    await world.waitFor(/ready/);
    platform = await startPlatform({ network, user: ordinaryUser });
    const image = await loadTestImage(platform);
    await platform.apply(pod('client', image, {}), pod('on-host', image, { hostNetwork: true }));
    for (const name of ['client', 'on-host']) await platform.waitForPod(name);
    await until('the first answer from outside', async () => {
      const result = await inPod('client', `wget -q -O - http://${outside}:8080/`);
      // On a busy machine this failed once, for a reason nobody saw.
      if (result.stdout === '') console.error('nothing came from outside:', result);
      return result.stdout === '' ? undefined : true;
    });
  });

  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
    await network?.[Symbol.asyncDispose]();
  });

  const inPod = (name: string, script: string, input: string | Uint8Array = '') =>
    platform.tryKubectl(['exec', '-i', name, '--', 'sh', '-c', script], { input });
  const fetched = async (name: string, url: string) => (await inPod(name, `wget -q -O - ${url}`)).stdout;

  /** Says all there is to say about a command that failed. */
  const reaches = async (name: string, url: string) =>
    assert.deepEqual(await inPod(name, `wget -q -O - ${url}`), { code: 0, stdout: 'from outside\n', stderr: '' }, `${url} from ${name}`);

  it('another machine answers at its address and at its name', async () => {
    for (const host of [outside, 'outside.example']) await reaches('client', `http://${host}:8080/`);
    await reaches('on-host', `http://${outside}:8080/`);
  });

  it('names are answered whoever is asked for them', async () => {
    const { stdout } = await inPod('client', 'nslookup -type=a outside.example 203.0.113.53');
    assert.match(stdout, /Address: 198\.51\.100\.1/);
    assert.match((await inPod('client', 'nslookup -type=a nowhere.example')).stdout, /NXDOMAIN/);
  });

  it('many bytes arrive as they were sent, both ways', async () => {
    const there = await inPod('client', `wget -q -O - http://${outside}:8080/big | sha256sum`);
    assert.equal(there.stdout.split(' ')[0], sha256(Buffer.alloc(20 * 2 ** 20, 'outside ')));
    // Text: this wget ends what it posts at the first zero.
    const bytes = randomBytes(5 * 2 ** 20).toString('hex');
    const back = await inPod('client', `cat > /tmp/bytes; wget -q -O - --post-file=/tmp/bytes http://${outside}:8080/`, bytes);
    assert.equal(back.stdout.trim(), sha256(bytes));
  });

  it('this machine’s loopback answers to nobody in there, by whatever way', async () => {
    const bridgeIp = await platform.kubectl(['get', 'endpoints', 'kubernetes', '-o', 'jsonpath={.subsets[0].addresses[0].ip}']);
    for (const name of ['client', 'on-host']) {
      for (const url of ['http://127.0.0.1:8081/', 'http://127.1.2.3:8081/', 'http://0.0.0.0:8081/', `http://${bridgeIp}:8081/`]) {
        assert.equal(await fetched(name, url), '', `${url} from ${name}`);
      }
      // The forwarder itself, asked without having been sent there.
      for (const ip of [bridgeIp, '127.0.0.1']) assert.equal(await fetched(name, `http://${ip}:15001/`), '');
    }
  });

  it('other protocols are refused at once, and nobody listening is an end of the connection', async () => {
    const { stderr } = await inPod('client', `echo | nc -u -w 5 ${outside} 9999`);
    assert.doesNotMatch(stderr, /timed out/);
    assert.equal(await fetched('client', `http://${outside}:9999/`), '');
    await reaches('client', `http://${outside}:8080/`);
  });

  it('goes on while the node agent is killed and comes back', async () => {
    const before = await nodePid();
    process.kill(before, 'SIGKILL');
    const script = `until wget -q -O - http://outside.example:8080/; do sleep 0.2; done`;
    const { stdout } = await inPodEventually('client', script);
    assert.equal(stdout, 'from outside\n');
    assert.notEqual(await nodePid(), before);
  });

  async function nodePid(): Promise<number> {
    return Number(/^node\s+\S+\s+(\d+)/m.exec(await platform.dormouse(['status']))?.[1]);
  }

  async function inPodEventually(name: string, script: string) {
    for (;;) {
      const result = await inPod(name, script);
      if (result.code === 0) return result;
    }
  }
});

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function pod(name: string, image: string, spec: object): object {
  const containers = [{ name: 'main', image, command: ['sleep', '100000'] }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { terminationGracePeriodSeconds: 0, containers, ...spec } };
}
