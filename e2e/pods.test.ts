import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { kubectls, withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, run, Running, until } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';

const skip = withoutKubectl || withoutTestImage;
const withoutScript = findProgram('script') === undefined ? 'util-linux script is not installed' : false;
const megabyte = 2 ** 20;

describe('kubectl and running pods', { skip }, () => {
  let platform: TestPlatform;
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dormouse-pods-'));
    platform = await startPlatform();
    const image = await loadTestImage(platform);
    await platform.apply(...manifests(image));
    for (const name of ['tools', 'two', 'files']) await platform.waitForPod(name);
  });

  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  for (const { name, program } of kubectls()) {
    describe(name, () => {
      it('exec carries output, standard input and exit codes', async () => {
        const script = ['exec', 'tools', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'];
        const failed = await platform.tryKubectl(script, { program });
        assert.deepEqual([failed.code, failed.stdout], [3, 'out\n']);
        assert.match(failed.stderr, /^err\n[^]*command terminated with exit code 3/);
        const bytes = randomBytes(3 * megabyte);
        const sum = await platform.kubectl(['exec', '-i', 'tools', '--', 'sha256sum'], { program, input: bytes });
        assert.equal(sum.split(' ')[0], sha256(bytes));
      });

      it('cp carries files both ways', async () => {
        const bytes = randomBytes(2 * megabyte);
        const [there, back] = [join(directory, 'there'), join(directory, 'back')];
        await writeFile(there, bytes);
        await platform.kubectl(['cp', there, 'tools:/tmp/copied'], { program });
        await platform.kubectl(['cp', 'tools:/tmp/copied', back], { program });
        assert.equal(sha256(await readFile(back)), sha256(bytes));
      });

      it('port-forward reaches a pod', async () => {
        await using forward = platform.startKubectl(['port-forward', 'pod/files', ':8080'], { program });
        const port = Number((await forward.waitFor(/127\.0\.0\.1:(\d+) ->/))[1]);
        const answer = await fetch(`http://127.0.0.1:${port}/index.html`);
        assert.equal(await answer.text(), 'hello from the pod\n');
      });
    });
  }

  it('exec -it has a terminal of the size of the caller’s', { skip: withoutScript }, async () => {
    const command = `stty rows 33 cols 101; ${kubectls().at(-1)?.program} exec -it tools -- sh -c 'tty; sleep 1; stty size'`;
    const { code, stdout } = await run('script', ['-qec', command, '/dev/null'], { env: { KUBECONFIG: platform.kubeconfig } });
    assert.equal(code, 0, stdout);
    assert.match(stdout, /\/dev\/(?:pts\/\d+|console)/);
    assert.match(stdout, /33 101/);
  });

  it(
    'debug puts a container into a running pod, which sees its processes and speaks with its caller',
    { skip: withoutScript },
    async () => {
      const image = await platform.kubectl(['get', 'pod', 'tools', '-o', 'jsonpath={.spec.containers[0].image}']);
      const debug = ['debug', 'files', `--image=${image}`, '--target=main'];
      await platform.kubectl([...debug, '-c', 'look', '--', 'sh', '-c', 'ps; wget -q -O - http://127.0.0.1:8080/index.html']);
      const seen = await until('its output', async () => {
        const { stdout } = await platform.tryKubectl(['logs', 'files', '-c', 'look']);
        return stdout.includes('hello from the pod') ? stdout : undefined;
      });
      assert.match(seen, /httpd -f -p 8080/);
      const command = [
        kubectls().at(-1)?.program,
        ...debug,
        '-it',
        '-c',
        'speak',
        '--',
        'sh',
        '-c',
        `'read line; tty; echo got $line; exit 3'`,
      ];
      await using session = new Running('script', ['-qec', command.join(' '), '/dev/null'], { env: { KUBECONFIG: platform.kubeconfig } });
      session.process.stdin.write('ping\n');
      await session.waitFor(/\/dev\/pts\/\d+\s+got ping/);
      await session.ended;
      const state = (name: string) => `jsonpath={.status.ephemeralContainerStatuses[?(@.name=="${name}")].state.terminated.exitCode}`;
      assert.equal(await platform.kubectl(['get', 'pod', 'files', '-o', state('speak')]), '3');
      assert.match(await platform.kubectl(['get', 'pod', 'files']), /^files +1\/1 +Running +0 /m);
      assert.match(await platform.kubectl(['describe', 'pod', 'files']), /^Ephemeral Containers:\n {2}look:/m);
    },
  );

  it('attach speaks with a running container', async () => {
    await using attached = platform.startKubectl(['attach', '-i', 'two', '-c', 'echo']);
    await until('the container to answer', () => {
      attached.process.stdin.write('ping\n');
      return attached.output.includes('got ping') ? true : undefined;
    });
  });

  it('logs can be followed, cut and stamped', async () => {
    await using follow = platform.startKubectl(['logs', '-f', 'two', '-c', 'count']);
    const [, seen] = await follow.waitFor(/line (\d+)\n/);
    await follow.waitFor(new RegExp(`line ${Number(seen) + 5}\\n`));
    const tail = await platform.kubectl(['logs', 'two', '-c', 'count', '--tail=2']);
    // What is written while it is read comes along, as from a kubelet.
    assert.match(tail, /^(line \d+\n){2,4}$/);
    const stamped = await platform.kubectl(['logs', 'two', '-c', 'count', '--tail=1', '--timestamps']);
    assert.match(stamped, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line \d+\n$/);
    assert.match(await platform.kubectl(['logs', 'two', '-c', 'count', '--since=1h']), /^line 1\n/);
    assert.equal(await platform.kubectl(['logs', 'two', '-c', 'count', '--since-time=2100-01-01T00:00:00Z']), '');
  });

  it('logs --previous are those of the instance before', async () => {
    await until('a restart', async () =>
      Number(await platform.kubectl(['get', 'pod', 'restarts', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}'])) > 0
        ? true
        : undefined,
    );
    assert.equal(await platform.kubectl(['logs', 'restarts', '--previous']), 'last words\n');
  });

  it('says in Kubernetes’ words what cannot be', async () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['logs', 'two', '-c', 'nope'], /container nope is not valid for pod two/],
      [
        ['get', '--raw', '/api/v1/namespaces/default/pods/two/log'],
        /a container name must be specified for pod two, choose one of: \[count echo\]/,
      ],
      [['logs', 'two', '-c', 'count', '--previous'], /previous terminated container "count" in pod "two" not found/],
      [['logs', 'waits'], /container "main" in pod "waits" is waiting to start: /],
      [
        ['get', '--raw', '/api/v1/namespaces/default/pods/tools/log?tailLines=-1'],
        /tailLines: Invalid value: -1: must be greater than or equal to 0/,
      ],
      [['get', '--raw', '/api/v1/namespaces/default/pods/tools/exec?command=true'], /Upgrade request required/],
      [['exec', 'tools', '--', 'no-such-program'], /no-such-program/],
    ];
    for (const [args, text] of wrong) {
      const { code, stderr } = await platform.tryKubectl(args);
      assert.notEqual(code, 0, args.join(' '));
      assert.match(stderr, text);
    }
  });

  it('a hundred megabytes pass port-forward of a service intact', async () => {
    await using forward = platform.startKubectl(['port-forward', 'service/files', ':80']);
    const port = Number((await forward.waitFor(/127\.0\.0\.1:(\d+) ->/))[1]);
    const response = await fetch(`http://127.0.0.1:${port}/big`);
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of response.body ?? []) {
      hash.update(chunk as Uint8Array);
      size += (chunk as Uint8Array).length;
    }
    assert.equal(size, 100 * megabyte);
    const expected = await platform.kubectl(['exec', 'files', '--', 'sha256sum', '/tmp/www/big']);
    assert.equal(hash.digest('hex'), expected.split(' ')[0]);
  });

  it('pods, services and nodes answer through the proxy of the API', async () => {
    const root = '/api/v1/namespaces/default';
    for (const path of [
      `${root}/pods/files:8080/proxy/index.html`,
      `${root}/pods/files/proxy/index.html`,
      `${root}/services/files:80/proxy/index.html`,
    ])
      assert.equal(await platform.kubectl(['get', '--raw', path]), 'hello from the pod\n', path);
    const node = await platform.kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}']);
    assert.equal(await platform.kubectl(['get', '--raw', `/api/v1/nodes/${node}/proxy/healthz`]), 'ok');
    const { code, stderr } = await platform.tryKubectl(['get', '--raw', `${root}/pods/files:81/proxy/`]);
    assert.notEqual(code, 0);
    assert.match(stderr, /error trying to reach service|currently unable to handle/);
  });

  it('a forwarded connection to a closed port fails, and the next one works', async () => {
    await using forward = platform.startKubectl(['port-forward', 'pod/tools', ':81']);
    const port = Number((await forward.waitFor(/127\.0\.0\.1:(\d+) ->/))[1]);
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    await promise;
    await forward.waitFor(/failed to connect to port 81|refused/i);
  });

  it('the platform’s own parts are pods with logs', async () => {
    const names = await until('the mirror pods', async () => {
      const text = await platform.kubectl(['get', 'pods', '-n', 'knative-serving', '-o', 'jsonpath={.items[*].metadata.labels.app}']);
      return text.split(' ').length >= 4 ? text.split(' ') : undefined;
    });
    assert.deepEqual(names.toSorted(), ['activator', 'autoscaler', 'controller', 'webhook']);
    const lines = (await platform.kubectl(['logs', '-n', 'knative-serving', '-l', 'app=controller', '--tail=3'])).trim().split('\n');
    assert.ok(lines.length <= 3);
    for (const line of lines) assert.ok('level' in (JSON.parse(line) as object));
  });

  it('top shows what pods and nodes use', async (context) => {
    if (/no cpu, memory/.test(await platform.dormouse(['status']))) {
      context.skip('this user has no control group to measure pods with');
      return;
    }
    assert.match(await platform.kubectl(['top', 'pods', 'two', '--containers', '--no-headers']), /^two\s+count\s+\d+m\s+\d+Mi/);
    assert.match(await platform.kubectl(['top', 'nodes', '--no-headers']), /^\S+\s+\d+m\s+\d+%\s+\d+Mi\s+\d+%/);
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function manifests(image: string): object[] {
  const pod = (name: string, containers: readonly object[]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { terminationGracePeriodSeconds: 0, containers },
  });
  const shell = (name: string, script: string, more: object = {}) => ({ name, image, command: ['sh', '-c', script], ...more });
  const www = [
    'mkdir /tmp/www; echo hello from the pod > /tmp/www/index.html',
    `dd if=/dev/urandom of=/tmp/www/big bs=${megabyte} count=100 2>/dev/null`,
    'exec httpd -f -p 8080 -h /tmp/www',
  ].join('; ');
  const served = { readinessProbe: { httpGet: { port: 8080, path: '/index.html' }, periodSeconds: 1 }, ports: [{ containerPort: 8080 }] };
  return [
    pod('tools', [shell('main', 'exec sleep 100000')]),
    pod('two', [
      shell('count', 'i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done'),
      shell('echo', 'while read line; do echo got $line; done', { stdin: true }),
    ]),
    pod('files', [shell('main', www, served)]),
    pod('restarts', [shell('main', 'echo last words; sleep 1; exit 1')]),
    pod('waits', [shell('main', 'true', { envFrom: [{ configMapRef: { name: 'not-there' } }] })]),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'files' },
      spec: { selector: { app: 'files' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ];
}
