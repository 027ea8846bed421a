import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { withoutKubectl } from './support/kubectl.ts';
import { ordinaryUser, withoutOrdinaryUser } from './support/ordinary-user.ts';
import { startPlatform, type PlatformOptions, type TestPlatform } from './support/platform.ts';
import { until } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';

const skip = withoutKubectl || withoutTestImage;

describe('persistent volumes', { skip }, () => describeVolumes({}));
describe('persistent volumes of an ordinary user’s platform', { skip: skip || withoutOrdinaryUser() }, () =>
  describeVolumes({ user: ordinaryUser }),
);

function describeVolumes(options: PlatformOptions): void {
  let platform: TestPlatform;
  let image = '';
  let elsewhere = '';

  before(async () => {
    platform = await startPlatform(options);
    image = await loadTestImage(platform);
    elsewhere = await mkdtemp(join(tmpdir(), 'dormouse-volume-'));
    await chmod(elsewhere, 0o777);
  });

  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(elsewhere, { recursive: true, force: true });
  });

  const table = async (kind: string) => (await platform.kubectl(['get', kind, '--no-headers'])).trim().split('\n').filter(Boolean);
  const directories = () => readdir(join(platform.dataDir, 'node/volumes')).catch(() => []);
  const logOf = (pod: string) => platform.kubectl(['exec', pod, '--', 'cat', '/data/log']);
  const gone = (what: string, look: () => Promise<readonly unknown[]>) =>
    until(`the end of ${what}`, async () => ((await look()).length === 0 ? true : undefined));
  const pod = (name: string, volume: object, script: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image, command: ['sh', '-c', script], volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      volumes: [{ name: 'data', ...volume }],
    },
  });

  it('a StatefulSet’s pods have volumes of their own, which outlive pods, set and platform’s restart', async () => {
    await platform.apply(statefulSet(image));
    for (const name of ['db-0', 'db-1']) await platform.waitForPod(name);
    assert.match(
      (await table('storageclasses')).join(),
      /^standard \(default\) +dormouse\.dev\/directory +Delete +WaitForFirstConsumer +false/,
    );
    const bound = (ordinal: number) => new RegExp(`^data-db-${ordinal} +Bound +pvc-\\S+ +1Gi +RWO +standard +<unset>`);
    const claims = await table('persistentvolumeclaims');
    assert.equal(claims.length, 2);
    for (const [ordinal, line] of claims.entries()) assert.match(line, bound(ordinal));
    const volumes = (await table('persistentvolumes')).join('\n');
    assert.match(volumes, /^pvc-\S+ +1Gi +RWO +Delete +Bound +default\/data-db-[01] +standard/);
    assert.equal((await directories()).length, 2);
    await platform.kubectl(['delete', 'pod', 'db-0']);
    await platform.waitForPod('db-0');
    assert.deepEqual([await logOf('db-0'), await logOf('db-1')], ['db-0\ndb-0\n', 'db-1\n']);
    assert.match(await platform.kubectl(['exec', 'db-0', '--', 'ls', '/part']), /^of-volume$/m);
    await platform.down();
    await platform.up();
    await platform.waitForPod('db-1');
    await until('both starts', async () => ((await logOf('db-1').catch(() => '')) === 'db-1\ndb-1\n' ? true : undefined));
    await platform.kubectl(['delete', 'statefulset', 'db']);
    assert.equal((await table('persistentvolumeclaims')).length, 2);
    await platform.kubectl(['delete', 'persistentvolumeclaims', '--all']);
    await gone('the volumes', () => table('persistentvolumes'));
    assert.deepEqual(await directories(), []);
  });

  it('a claim nobody uses waits; one in use is not taken away; an ephemeral volume goes with its pod', async () => {
    const script = 'echo $HOSTNAME >> /data/log; exec sleep 100000';
    const request = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } };
    await platform.apply({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'later' }, spec: request });
    await platform.apply(pod('short', { ephemeral: { volumeClaimTemplate: { spec: request } } }, script));
    await platform.waitForPod('short');
    assert.match((await table('persistentvolumeclaims')).join('\n'), /^later +Pending +standard .*\nshort-data +Bound/);
    const event = /WaitForFirstConsumer .*waiting for first consumer to be created before binding/;
    await until('its event', async () => (event.test(await platform.kubectl(['describe', 'pvc', 'later'])) ? true : undefined));
    await platform.apply(pod('user', { persistentVolumeClaim: { claimName: 'later' } }, script));
    await platform.waitForPod('user');
    await platform.kubectl(['delete', 'pvc', 'later', '--wait=false']);
    assert.match((await table('persistentvolumeclaims')).join('\n'), /^later +Terminating +pvc-/);
    assert.equal(await logOf('user'), 'user\n');
    await platform.kubectl(['delete', 'pod', 'user', 'short']);
    await gone('the claims', () => table('persistentvolumeclaims'));
    await gone('the directories', directories);
  });

  it('a volume made by hand is bound, kept with its data when its claim goes, and not given to the next', async () => {
    const path = join(elsewhere, 'kept');
    await mkdir(path);
    await chmod(path, 0o777);
    const spec = { storageClassName: 'manual', accessModes: ['ReadWriteOnce'] };
    const size = (storage: string) => ({ resources: { requests: { storage } } });
    await platform.apply(
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: 'kept' },
        spec: { ...spec, capacity: { storage: '5Gi' }, hostPath: { path } },
      },
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'first' }, spec: { ...spec, ...size('3Gi') } },
      pod('writer', { persistentVolumeClaim: { claimName: 'first' } }, 'echo written > /data/log; exec sleep 100000'),
    );
    await platform.waitForPod('writer');
    assert.match((await table('persistentvolumes')).join(), /^kept +5Gi +RWO +Retain +Bound +default\/first +manual/);
    await platform.kubectl(['delete', 'pod', 'writer']);
    await platform.kubectl(['delete', 'pvc', 'first']);
    await until('its release', async () => (/^kept .* Released /.test((await table('persistentvolumes')).join()) ? true : undefined));
    assert.equal(await readFile(join(path, 'log'), 'utf8'), 'written\n');
    await platform.apply({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'second' },
      spec: { ...spec, ...size('3Gi') },
    });
    await platform.apply(pod('reader', { persistentVolumeClaim: { claimName: 'second' } }, 'exec sleep 100000'));
    const events = () => platform.kubectl(['get', 'events', '-o', 'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}']);
    await until('the refusal', async () => (/pod has unbound immediate PersistentVolumeClaims\./.test(await events()) ? true : undefined));
    // What an administrator does to give it to somebody again.
    await platform.kubectl(['patch', 'pv', 'kept', '--type=json', '-p=[{"op":"remove","path":"/spec/claimRef"}]']);
    await platform.waitForPod('reader');
    assert.equal(await logOf('reader'), 'written\n');
    await platform.kubectl(['delete', 'pod', 'reader']);
    await platform.kubectl(['delete', 'pvc', 'second']);
    await platform.kubectl(['delete', 'pv', 'kept']);
  });

  it('a Knative Service keeps its data in a claim once that is allowed', async () => {
    const features = { 'kubernetes.podspec-persistent-volume-claim': 'enabled', 'kubernetes.podspec-persistent-volume-write': 'enabled' };
    await platform.kubectl([
      'patch',
      'configmap',
      'config-features',
      '-n',
      'knative-serving',
      '--type=merge',
      '-p',
      JSON.stringify({ data: features }),
    ]);
    const script = 'mkdir -p /data/www && echo kept > /data/www/index.html && exec httpd -f -p 8080 -h /data/www';
    await platform.apply(
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'site' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
      },
      {
        apiVersion: 'serving.knative.dev/v1',
        kind: 'Service',
        metadata: { name: 'site' },
        spec: {
          template: {
            spec: {
              containers: [{ image, command: ['sh', '-c', script], volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
              volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'site' } }],
            },
          },
        },
      },
    );
    await platform.kubectl(['wait', 'ksvc/site', '--for=condition=Ready', '--timeout=60s'], { timeoutMs: 70_000 });
    const answer = await platform.type(`curl -s -H "Host: site.default.localhost" ${platform.gatewayUrl}`);
    assert.equal(answer, 'kept\n');
    const [directory = ''] = await directories();
    assert.equal(await readFile(join(platform.dataDir, 'node/volumes', directory, 'www/index.html'), 'utf8'), 'kept\n');
  });
}

function statefulSet(image: string): object {
  const script = 'echo $HOSTNAME >> /data/log; touch /part/of-volume; trap "exit 0" TERM; while true; do sleep 0.1; done';
  const mounts = [
    { name: 'data', mountPath: '/data' },
    { name: 'data', mountPath: '/part', subPath: 'a/part' },
  ];
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      serviceName: 'db',
      replicas: 2,
      selector: { matchLabels: { app: 'db' } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: {
          securityContext: { runAsUser: 1000, fsGroup: 2000 },
          containers: [{ name: 'main', image, command: ['sh', '-c', script], volumeMounts: mounts }],
        },
      },
      volumeClaimTemplates: [
        { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      ],
    },
  };
}
