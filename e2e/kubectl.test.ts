import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fetchTools } from './support/fetched-tools.ts';
import { kubectls, withoutKubectl, type Kubectl } from './support/kubectl.ts';
import { gadgetDefinition, gadget, service, shop } from './support/kubectl-manifests.ts';
import { Session } from './support/kubectl-session.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, mustRun, until } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';

const { kubectl: current, missing } = await fetchTools();
const installed = kubectls();
const chosen = installed.filter(({ name }) => / 1\.(?:29|32)$/.test(name));
const versions: readonly Kubectl[] = [
  ...(chosen.length > 0 ? chosen : installed.slice(-1)),
  ...(current === undefined ? [] : [{ name: 'kubectl 1.35', program: current }]),
];
const withoutDiff = findProgram('diff') === undefined ? 'diff is not installed' : false;
const skip = versions.length > 0 ? withoutTestImage || withoutDiff : withoutKubectl;

it('the current kubectl is there', { skip: missing ?? false }, () => assert.ok(current));

describe('kubectl, every command family', { skip }, () => {
  let platform: TestPlatform;
  let image: string;

  before(async () => {
    platform = await startPlatform();
    image = await loadTestImage(platform);
    await platform.apply(gadgetDefinition);
    await platform.kubectl(['wait', '--for=condition=Established', 'crd/gadgets.example.com']);
  });
  after(() => platform?.[Symbol.asyncDispose]());

  for (const { name, program } of versions) {
    describe(name, () => {
      const session = new Session(() => platform, program, `v${name.replaceAll(/\D/g, '')}`);
      before(() => session.ok('create', 'namespace', session.namespace));
      after(() => session.ok('delete', 'namespace', session.namespace, '--wait=false'));
      readsTheCluster(session);
      createsObjects(session);
      appliesAndPatches(session);
      speaksCustomResources(session);
      runsDeployments(session, () => image);
      asksForPermissions(session);
      signsCertificates(session);
      keepsNodes(session);
      deletesAndWaits(session);
    });
  }
});

function readsTheCluster(session: Session): void {
  it('reads what the server is and has', async () => {
    assert.match(await session.ok('version'), /Server Version: v1\.\d+\.\d+\+dormouse/);
    assert.match(await session.ok('api-versions'), /^serving\.knative\.dev\/v1$/m);
    const resources = await session.ok('api-resources');
    assert.match(resources, /^deployments +deploy +apps\/v1 +true +Deployment$/m);
    assert.match(resources, /^services +kservice,ksvc +serving\.knative\.dev\/v1 +true +Service$/m);
    assert.match(await session.ok('cluster-info'), /control plane.* is running at/);
    assert.match(await session.ok('get', '--raw', '/readyz'), /^ok/);
    assert.match(await session.ok('explain', 'ksvc.spec'), /template\t?\s+</);
    assert.match(await session.ok('explain', 'deployment.spec.replicas'), /FIELD: replicas <integer>/);
  });

  it('prints nodes, namespaces and everything of a category', async () => {
    assert.match(await session.ok('get', 'nodes', '-o', 'wide'), /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP[^\n]*\ndormouse +Ready/);
    assert.match(await session.ok('get', 'ns', '-o', 'name'), /^namespace\/default$/m);
    assert.match(await session.ok('get', 'all', '-n', 'default'), /service\/kubernetes/);
    const node = await session.ok('describe', 'node', 'dormouse');
    assert.match(node, /Conditions:[^]*Ready +True[^]*Allocated resources:/);
  });

  it('says what is missing', async () => {
    const absent = await session.try(['get', 'pod', 'absent']);
    assert.deepEqual([absent.code, absent.stderr], [1, 'Error from server (NotFound): pods "absent" not found\n']);
    const unknown = await session.try(['get', 'unicorns']);
    assert.equal(unknown.stderr, `error: the server doesn't have a resource type "unicorns"\n`);
  });
}

function createsObjects(session: Session): void {
  it('creates what it sends as protobuf', async () => {
    await session.ok('create', 'configmap', 'made', '--from-literal=a=1');
    assert.equal(await session.field('.data.a', 'cm', 'made'), '1');
    await session.ok('create', 'secret', 'generic', 'secret', '--from-literal=password=hunter2');
    assert.equal(await session.field('.data.password', 'secret', 'secret'), btoa('hunter2'));
    await session.ok('create', 'serviceaccount', 'robot');
    assert.match(await session.ok('create', 'token', 'robot'), /^ey[\w-]+\.[\w-]+\.[\w-]+\n?$/);
    await session.ok('create', 'deployment', 'made', '--image=test.local/none:1', '--replicas=0');
    await session.ok('create', 'job', 'made', '--image=test.local/none:1');
    await session.ok('create', 'cronjob', 'made', '--image=test.local/none:1', '--schedule=0 0 1 1 *');
    await session.ok('create', 'role', 'reader', '--verb=get', '--resource=pods');
    await session.ok('create', 'rolebinding', 'reader', '--role=reader', `--serviceaccount=${session.namespace}:robot`);
    await session.ok('create', 'quota', 'made', '--hard=count/widgets.example.com=3');
    await session.ok('create', 'service', 'clusterip', 'made', '--tcp=80:8080');
    await session.ok('create', 'ingress', 'made', '--rule=made.example.com/*=made:80');
    await session.ok('create', 'priorityclass', session.namespace, '--value=7');
    await session.ok('create', 'poddisruptionbudget', 'made', '--selector=app=none', '--min-available=1');
    await session.ok('autoscale', 'deployment', 'made', '--max=3');
    assert.equal(await session.field('.spec.maxReplicas', 'hpa', 'made'), '3');
    await session.ok('delete', 'job,cronjob,deployment,hpa,ingress,quota,pdb', '--all');
    await session.ok('delete', 'priorityclass', session.namespace);
  });

  it('does not create on a dry run, nor twice', async () => {
    await session.ok('create', 'configmap', 'dry', '--dry-run=server');
    assert.equal((await session.try(['get', 'cm', 'dry'])).code, 1);
    const twice = await session.try(['create', 'configmap', 'made']);
    assert.match(twice.stderr, /configmaps "made" already exists/);
  });
}

function appliesAndPatches(session: Session): void {
  const configMap = (data: Record<string, string>): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shop' }, data });

  it('applies, compares and edits', async () => {
    assert.equal(await session.feed(configMap({ a: '1', b: '2' }), 'apply'), 'configmap/shop created\n');
    assert.equal(await session.feed(configMap({ a: '1', b: '2' }), 'apply'), 'configmap/shop unchanged\n');
    assert.equal(await session.feed(configMap({ a: '2' }), 'apply'), 'configmap/shop configured\n');
    assert.equal(await session.field('.data', 'cm', 'shop'), '{"a":"2"}');
    for (const flags of [[], ['--server-side', '--force-conflicts']]) {
      const input = JSON.stringify(configMap({ a: '3' }));
      const { code, stdout, stderr } = await session.try(['diff', '-f', '-', ...flags], { input });
      assert.equal(code, 1, stderr);
      assert.match(stdout, /^-  a: "2"\n\+  a: "3"$/m);
    }
    const edited = await session.try(['edit', 'cm', 'shop'], { env: { KUBE_EDITOR: `sed -i 's/a: "2"/a: edited/'` } });
    assert.equal(edited.stdout, 'configmap/shop edited\n', edited.stderr);
    assert.equal(await session.field('.data.a', 'cm', 'shop'), 'edited');
  });

  it('applies on the server, telling who owns what', async () => {
    assert.match(await session.feed(configMap({ c: '1' }), 'apply', '--server-side', '--field-manager=one'), /serverside-applied/);
    const other = ['apply', '--server-side', '--field-manager=two', '-f', '-'];
    const input = JSON.stringify(configMap({ c: '2' }));
    const conflict = await session.try(other, { input });
    assert.match(conflict.stderr, /Apply failed with 1 conflict: conflict with "one": \.data\.c/);
    assert.equal((await session.try([...other, '--force-conflicts'], { input })).code, 0);
    assert.match(await session.ok('get', 'cm', 'shop', '-o', 'yaml', '--show-managed-fields'), /manager: two\n\s+operation: Apply/);
  });

  it('labels, annotates, patches and replaces', async () => {
    await session.ok('label', 'cm', 'shop', 'tier=front');
    await session.ok('annotate', 'cm', 'shop', 'note=hello');
    assert.match(await session.ok('get', 'cm', '-l', 'tier=front', '-L', 'tier'), /^shop +\d+ +\S+ +front$/m);
    for (const [type, patch] of Object.entries({
      merge: '{"data":{"p":"merge"}}',
      strategic: '{"data":{"p":"strategic"}}',
      json: '[{"op":"replace","path":"/data/p","value":"json"}]',
    })) {
      await session.ok('patch', 'cm', 'shop', `--type=${type}`, '-p', patch);
      assert.equal(await session.field('.data.p', 'cm', 'shop'), type);
    }
    await session.feed(configMap({ replaced: 'yes' }), 'replace');
    assert.equal(await session.field('.data', 'cm', 'shop'), '{"replaced":"yes"}');
  });

  it('applies what it printed: a list', async () => {
    const items = ['a', 'b'].map((name) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `listed-${name}` }, data: { name } }));
    assert.equal(
      await session.feed({ apiVersion: 'v1', kind: 'List', items }, 'apply'),
      'configmap/listed-a created\nconfigmap/listed-b created\n',
    );
    const printed = await session.ok('get', 'cm', 'listed-a', 'listed-b', '-o', 'yaml');
    const { code, stdout, stderr } = await session.try(['apply', '-f', '-'], { input: printed });
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^configmap\/listed-a \S+\nconfigmap\/listed-b \S+\n$/);
  });

  it('refuses what is wrong, naming the field', async () => {
    const bad = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'bad' }, spec: { replica: 1 } };
    const { code, stderr } = await session.try(['apply', '-f', '-'], { input: JSON.stringify(bad) });
    assert.equal(code, 1);
    assert.match(stderr, /unknown field "spec\.replica"/);
  });
}

function speaksCustomResources(session: Session): void {
  it('works with a third party’s resources', async () => {
    assert.equal(await session.feed(gadget('one', 2), 'apply'), 'gadget.example.com/one created\n');
    assert.match(await session.ok('get', 'gadgets'), /^NAME +SIZE +AGE\none +2 +/);
    assert.equal(await session.feed(gadget('one', 3), 'apply'), 'gadget.example.com/one configured\n');
    await session.ok('scale', 'gadget', 'one', '--replicas=5');
    assert.equal(await session.field('.spec.size', 'gadget', 'one'), '5');
    await session.ok('patch', 'gadget', 'one', '--type=merge', '--subresource=status', '-p', '{"status":{"phase":"Fine"}}');
    await session.ok('wait', 'gadget/one', '--for=jsonpath={.status.phase}=Fine', '--timeout=20s');
    assert.match(await session.ok('explain', 'gadget.spec.size'), /How many parts it has/);
    assert.match(await session.ok('describe', 'gadget', 'one'), /Phase: +Fine/);
    const wrong = await session.try(['apply', '-f', '-'], { input: JSON.stringify(gadget('one', -1)) });
    assert.match(wrong.stderr, /spec\.size: Invalid value: -1: spec\.size in body should be greater than or equal to 0/);
  });

  it('works with Knative services', async () => {
    assert.match(await session.feed(service('hello'), 'apply'), /service\.serving\.knative\.dev\/hello created/);
    const again = await session.try(['apply', '-f', '-'], { input: JSON.stringify(service('hello', { team: 'a' })) });
    assert.deepEqual([again.stdout, again.stderr], ['service.serving.knative.dev/hello configured\n', '']);
    const strategic = await session.try(['patch', 'ksvc', 'hello', '-p', '{}']);
    assert.match(strategic.stderr, /strategic-merge-patch\+json is not supported by serving\.knative\.dev\/v1, Kind=Service/);
    assert.match(await session.ok('get', 'ksvc'), /^NAME +URL +LATESTCREATED +LATESTREADY +READY +REASON\nhello /);
    assert.match(await session.ok('describe', 'ksvc', 'hello'), /Kind: +Service/);
    const edited = await session.try(['edit', 'ksvc', 'hello'], { env: { KUBE_EDITOR: `sed -i 's/team: a/team: b/'` } });
    assert.match(edited.stdout, /hello edited/, edited.stderr);
    assert.equal(await session.field('.metadata.labels.team', 'ksvc', 'hello'), 'b');
    await session.ok('delete', 'ksvc', 'hello');
  });
}

function runsDeployments(session: Session, image: () => string): void {
  it('rolls deployments out and back', async () => {
    await session.feed(shop(image()), 'apply');
    await session.ok('rollout', 'status', 'deployment/shop', '--timeout=60s');
    await session.ok('set', 'env', 'deployment/shop', 'COLOR=blue');
    assert.match(await session.ok('rollout', 'status', 'deployment/shop', '--timeout=60s'), /successfully rolled out/);
    assert.match(await session.ok('rollout', 'history', 'deployment/shop'), /^1 [^]*^2 /m);
    assert.match(await session.ok('exec', 'deploy/shop', '--', 'env'), /^COLOR=blue$/m);
    await session.ok('rollout', 'undo', 'deployment/shop');
    await session.ok('rollout', 'status', 'deployment/shop', '--timeout=60s');
    assert.equal(await session.field('.spec.template.spec.containers[0].env', 'deploy', 'shop'), '');
    await session.ok('rollout', 'restart', 'deployment/shop');
    await session.ok('rollout', 'status', 'deployment/shop', '--timeout=60s');
    await session.ok('rollout', 'pause', 'deployment/shop');
    await session.ok('rollout', 'resume', 'deployment/shop');
  });

  it('sets images, scales, exposes and runs', async () => {
    await session.ok('scale', 'deployment/shop', '--replicas=2', '--current-replicas=1');
    await session.ok('wait', 'deployment/shop', '--for=jsonpath={.status.readyReplicas}=2', '--timeout=60s');
    await session.ok('wait', 'pod', '-l', 'app=shop', '--for=condition=Ready', '--timeout=60s');
    await session.ok('expose', 'deployment', 'shop', '--port=80', '--target-port=8080');
    assert.equal(await session.field('.spec.ports[0].targetPort', 'svc', 'shop'), '8080');
    assert.match(
      await session.ok('get', 'pods', '-o', 'wide', '--sort-by=.metadata.name'),
      /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE/,
    );
    assert.match(await session.ok('describe', 'deployment', 'shop'), /NewReplicaSet: +shop-/);
    assert.match(await session.ok('logs', 'deploy/shop', '--tail=1'), /ready/);
    await session.ok('scale', 'deployment/shop', '--replicas=0');
    await session.ok('set', 'image', 'deployment/shop', 'web=test.local/other:1');
    assert.equal(await session.field('.spec.template.spec.containers[0].image', 'deploy', 'shop'), 'test.local/other:1');
    await session.ok('run', 'once', `--image=${image()}`, '--restart=Never', '--command', '--', 'echo', 'done');
    await session.ok('wait', 'pod/once', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s');
    await until('events of the pod', async () => (/Scheduled/.test(await session.ok('events', '--for', 'pod/once')) ? true : undefined));
    assert.match(await session.ok('describe', 'pod', 'once'), /Reason: +Completed[^]*Events:[^]*Scheduled/);
    await session.ok('debug', 'pod/once', `--image=${image()}`, '--container=look', '--attach=false');
    assert.equal(await session.field('.spec.ephemeralContainers[0].name', 'pod', 'once'), 'look');
    assert.match(await session.ok('top', 'node'), /^NAME +CPU/);
  });
}

function asksForPermissions(session: Session): void {
  it('asks who may do what', async () => {
    assert.equal(await session.ok('auth', 'can-i', 'create', 'pods'), 'yes\n');
    const robot = `--as=system:serviceaccount:${session.namespace}:robot`;
    assert.equal((await session.try(['auth', 'can-i', 'create', 'pods', robot])).stdout, 'no\n');
    assert.match(await session.ok('auth', 'can-i', '--list', robot), /^pods +\[\] +\[\] +\[get\]$/m);
    assert.match(await session.ok('auth', 'whoami'), /Groups +\[.*system:masters/);
    const refused = await session.try(['get', 'secrets', robot]);
    assert.match(
      refused.stderr,
      /^Error from server \(Forbidden\): secrets is forbidden: User "system:serviceaccount:[\w-]+:robot" cannot list/,
    );
  });
}

function signsCertificates(session: Session): void {
  const withoutOpenssl = findProgram('openssl') === undefined ? 'openssl is not installed' : false;
  it('asks for a certificate, approves it and logs in with it', { skip: withoutOpenssl }, async () => {
    const name = `jane-${session.namespace}`;
    const directory = await mkdtemp(join(tmpdir(), 'dormouse-csr-'));
    try {
      const [key, request] = [join(directory, 'key'), join(directory, 'request')];
      const subject = ['-subj', '/O=devs/CN=jane'];
      await mustRun('openssl', [
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        key,
        '-out',
        request,
        ...subject,
      ]);
      const spec = { signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], expirationSeconds: 3600 };
      const csr = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', metadata: { name } };
      await session.feed({ ...csr, spec: { ...spec, request: await readFile(request, 'base64') } }, 'create');
      assert.match(await session.ok('get', 'csr', name), /Pending/);
      assert.match(await session.ok('certificate', 'approve', name), /approved/);
      const certificate = await until(
        'the certificate',
        async () => (await session.field('.status.certificate', 'csr', name)) || undefined,
      );
      const config = JSON.parse(await session.ok('config', 'view', '--raw', '-o', 'json')) as {
        users: { user: Record<string, string> }[];
      };
      const user = { 'client-certificate-data': certificate, 'client-key-data': await readFile(key, 'base64') };
      await writeFile(join(directory, 'config'), JSON.stringify({ ...config, users: config.users.map((one) => ({ ...one, user })) }));
      assert.match(await session.ok('auth', 'whoami', `--kubeconfig=${join(directory, 'config')}`), /Username +jane\nGroups +\[devs /);
      await session.ok('delete', 'csr', name);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
}

function keepsNodes(session: Session): void {
  it('cordons, taints and drains a node', async () => {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: `spare-${session.namespace}` } };
    const name = node.metadata.name;
    await session.feed(node, 'create');
    await session.ok('cordon', name);
    assert.match(await session.ok('get', 'node', name), /SchedulingDisabled/);
    await session.ok('uncordon', name);
    await session.ok('taint', 'node', name, 'key=value:NoSchedule');
    assert.match(await session.field('.spec.taints', 'node', name), /NoSchedule/);
    await session.ok('taint', 'node', name, 'key-');
    assert.match(await session.ok('drain', name, '--ignore-daemonsets', '--force'), /drained/);
    await session.ok('delete', 'node', name);
  });
}

function deletesAndWaits(session: Session): void {
  it('watches, waits and deletes', async () => {
    const { platform, program, namespace } = session;
    await using watch = platform.startKubectl(['get', 'cm', '-w', '-n', namespace], { program });
    await watch.waitFor(/^shop /m);
    await session.ok('create', 'cm', 'watched');
    await watch.waitFor(/^watched /m);
    await using waiting = platform.startKubectl(['wait', 'cm/watched', '--for=delete', '-n', namespace], { program });
    assert.equal(await session.ok('delete', 'cm', 'watched'), `configmap "watched" deleted${from(session)}\n`);
    assert.equal(await waiting.ended, 0);
    await session.ok('delete', 'deployment/shop', '--cascade=foreground');
    assert.equal(await session.ok('get', 'rs'), '');
    await session.ok('delete', 'gadget,cm,svc', '--all');
    assert.equal(await session.ok('get', 'gadgets'), '');
  });
}

/** Since 1.34 kubectl names the namespace of what it deletes. */
function from({ program, namespace }: Session): string {
  return program === current ? ` from ${namespace} namespace` : '';
}
