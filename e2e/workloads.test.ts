import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { until } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';

/** Kubernetes' own workloads and limits, with kubectl. */
describe('workloads', { skip: withoutKubectl || withoutTestImage }, () => {
  let platform: TestPlatform;
  let image: string;

  before(async () => {
    platform = await startPlatform();
    image = await loadTestImage(platform);
  });
  after(() => platform?.[Symbol.asyncDispose]());

  const waiting = (command: string) => ({ name: 'main', image, command: ['sh', '-c', command] });

  it('a quota lets in what fits, refuses the rest, and gets back what goes', async () => {
    await platform.kubectl(['create', 'namespace', 'limited']);
    const kubectl = (...args: readonly string[]) => platform.kubectl(['-n', 'limited', ...args]);
    await kubectl('create', 'quota', 'small', '--hard=pods=2,count/configmaps=2');
    await until('the quota is counted', async () =>
      (await kubectl('get', 'quota', 'small', '-o', 'jsonpath={.status.used.pods}')) === '0' ? true : undefined,
    );
    await kubectl('create', 'deployment', 'web', `--image=${image}`, '--replicas=3', '--', 'sleep', '1000');
    await until('two pods', async () =>
      (await kubectl('get', 'quota', 'small', '-o', 'jsonpath={.status.used.pods}')) === '2' ? true : undefined,
    );
    const refused = await until(
      'the refusal',
      async () => /exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2/.exec(await kubectl('get', 'events'))?.[0],
    );
    assert.ok(refused);
    const { stderr } = await platform.tryKubectl(['-n', 'limited', 'run', 'more', `--image=${image}`]);
    assert.match(stderr, /pods "more" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2/);
    assert.match(await kubectl('describe', 'quota', 'small'), /pods +2 +2/);
    await kubectl('delete', 'deployment', 'web');
    await until('none left', async () =>
      (await kubectl('get', 'quota', 'small', '-o', 'jsonpath={.status.used.pods}')) === '0' ? true : undefined,
    );
  });

  it('a stateful set is made, updated, undone and scaled down in order, under lasting names', async () => {
    const template = {
      metadata: { labels: { app: 'db' } },
      spec: { terminationGracePeriodSeconds: 0, containers: [waiting('hostname; sleep 1000')] },
    };
    const spec = { serviceName: 'db', replicas: 2, selector: { matchLabels: { app: 'db' } }, template };
    await platform.apply(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'db' },
        spec: { clusterIP: 'None', selector: { app: 'db' }, ports: [{ port: 80 }] },
      },
      { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db' }, spec },
    );
    await platform.kubectl(['rollout', 'status', 'statefulset/db', '--timeout=60s']);
    assert.match(await platform.kubectl(['get', 'statefulset', 'db']), /^db +2\/2 /m);
    const created = (await platform.kubectl(['get', 'pods', '-l', 'app=db', '-o', 'jsonpath={.items[*].metadata.name}'])).split(' ');
    assert.deepEqual(created, ['db-0', 'db-1']);
    assert.equal(await platform.kubectl(['logs', 'db-1']), 'db-1\n');
    await platform.kubectl(['set', 'env', 'statefulset/db', 'COLOUR=green']);
    await platform.kubectl(['rollout', 'status', 'statefulset/db', '--timeout=60s']);
    assert.match(await platform.kubectl(['get', 'pod', 'db-0', '-o', 'jsonpath={.spec.containers[0].env}']), /green/);
    assert.match(await platform.kubectl(['rollout', 'history', 'statefulset/db']), /^1 [^]*^2 /m);
    await platform.kubectl(['rollout', 'undo', 'statefulset/db']);
    await platform.kubectl(['rollout', 'status', 'statefulset/db', '--timeout=60s']);
    assert.equal(await platform.kubectl(['get', 'pod', 'db-0', '-o', 'jsonpath={.spec.containers[0].env}']), '');
    await platform.kubectl(['scale', 'statefulset/db', '--replicas=1']);
    await platform.kubectl(['wait', 'pod/db-1', '--for=delete', '--timeout=30s']);
    const event = /statefulset-controller +delete Pod db-1 in StatefulSet db successful/;
    await until('its event', async () => (event.test(await platform.kubectl(['describe', 'statefulset', 'db'])) ? true : undefined));
  });

  it('a daemon set has a pod on the node, and updates it', async () => {
    const template = {
      metadata: { labels: { app: 'agent' } },
      spec: { terminationGracePeriodSeconds: 0, containers: [waiting('sleep 1000')] },
    };
    const spec = { selector: { matchLabels: { app: 'agent' } }, template };
    await platform.apply({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'agent' }, spec });
    await platform.kubectl(['rollout', 'status', 'daemonset/agent', '--timeout=60s']);
    assert.match(await platform.kubectl(['get', 'daemonset', 'agent']), /^agent +1 +1 +1 +1 +1 /m);
    await platform.kubectl(['set', 'env', 'daemonset/agent', 'COLOUR=green']);
    await platform.kubectl(['rollout', 'status', 'daemonset/agent', '--timeout=60s']);
    const coloured = ['get', 'pods', '-l', 'app=agent', '-o', 'jsonpath={.items[*].spec.containers[0].env[0].value}'];
    assert.equal(await platform.kubectl(coloured), 'green');
    await platform.kubectl(['label', 'node', '--all', 'keep=out']);
    const affinity = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'keep', operator: 'DoesNotExist' }] }],
        },
      },
    };
    await platform.kubectl([
      'patch',
      'daemonset',
      'agent',
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { template: { spec: { affinity } } } }),
    ]);
    await until('no pod is left', async () => ((await platform.kubectl(coloured)) === '' ? true : undefined));
  });

  it('a cron job starts jobs, which kubectl can also start by hand', async () => {
    const command = ['--', 'echo', 'ran'];
    await platform.kubectl(['create', 'cronjob', 'tick', `--image=${image}`, '--schedule=@every 1s', ...command]);
    const scheduled = ['get', 'cronjob', 'tick', '-o', 'jsonpath={.status.lastSuccessfulTime}'];
    await until('a job of it has succeeded', async () => ((await platform.kubectl(scheduled)) === '' ? undefined : true));
    const event = /cronjob-controller +Created job tick-\d+/;
    await until('its event', async () => (event.test(await platform.kubectl(['describe', 'cronjob', 'tick'])) ? true : undefined));
    await platform.kubectl(['create', 'job', 'by-hand', '--from=cronjob/tick']);
    await platform.kubectl(['wait', 'job/by-hand', '--for=condition=Complete', '--timeout=60s']);
    await platform.kubectl(['delete', 'cronjob', 'tick']);
  });

  it('a more important pod takes the place of a less important one, which is told', async () => {
    const classOf = (name: string, value: number) => ({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name },
      value,
    });
    const cores = Number(await platform.kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].status.allocatable.cpu}']));
    const pod = (name: string, priorityClassName: string) => {
      const container = { ...waiting('exec sleep 1000'), resources: { requests: { cpu: `${cores * 600}m` } } };
      const spec = { priorityClassName, terminationGracePeriodSeconds: 1, containers: [container] };
      return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec };
    };
    await platform.apply(classOf('usual', 10), classOf('urgent', 1000), pod('usual', 'usual'));
    await platform.waitForPod('usual');
    await using victim = platform.startKubectl([
      'get',
      'pod',
      'usual',
      '--watch',
      '-o',
      'jsonpath={.status.conditions[?(@.type=="DisruptionTarget")].reason}',
    ]);
    await platform.apply(pod('urgent', 'urgent'));
    await platform.waitForPod('urgent');
    const { stdout } = await platform.tryKubectl(['get', 'pod', 'usual']);
    assert.equal(stdout, '');
    await victim.waitFor(/PreemptionByScheduler/);
    const template = 'jsonpath={range .items[*]}{.involvedObject.name} {.reason} {.source.component}: {.message}{"\\n"}{end}';
    const eventLike = (pattern: RegExp) =>
      until(`an event like ${pattern}`, async () =>
        pattern.test(await platform.kubectl(['get', 'events', '-o', template])) ? true : undefined,
      );
    await eventLike(/^usual Preempted default-scheduler: Preempted by pod \S+ on node dormouse$/m);
    await eventLike(/^urgent FailedScheduling default-scheduler: 0\/1 nodes are available: 1 Insufficient cpu\.$/m);
    assert.equal(await platform.kubectl(['get', 'pod', 'urgent', '-o', 'jsonpath={.status.nominatedNodeName}']), '');
    await platform.kubectl(['delete', 'pod', 'urgent']);
  });
});
