import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchTools } from './support/fetched-tools.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, mustRun, run, type Result } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';

const tools = await fetchTools();
const helm = findProgram('helm') ?? tools.helm;
const kubectl = tools.kubectl ?? findProgram('kubectl');
const skip = helm === undefined || kubectl === undefined ? (tools.missing ?? 'helm is not installed') : withoutTestImage;
const chart = fileURLToPath(new URL('./fixtures/chart', import.meta.url));

// The tests follow one release through its life: each builds on the one before.
describe('helm', { skip }, () => {
  let platform: TestPlatform;
  let flags: readonly string[];

  before(async () => {
    platform = await startPlatform();
    const image = await loadTestImage(platform);
    flags = ['--wait', '--timeout=90s', `--set=image=${image}`];
  });
  after(() => platform?.[Symbol.asyncDispose]());

  /** Helm keeps caches and configuration in the home directory; here they go with the platform. */
  const environment = (): { env: Record<string, string>; timeoutMs: number } => ({
    env: { KUBECONFIG: platform.kubeconfig, HOME: platform.dataDir, HELM_CACHE_HOME: `${platform.dataDir}/helm` },
    timeoutMs: 120_000,
  });
  const call = (...args: readonly string[]): Promise<string> => mustRun(helm ?? '', args, environment());
  const attempt = (...args: readonly string[]): Promise<Result> => run(helm ?? '', args, environment());
  const get = (path: string, ...object: readonly string[]): Promise<string> =>
    platform.kubectl(['get', ...object, '--ignore-not-found', '-o', `jsonpath={${path}}`], { program: kubectl ?? '' });

  it('installs a chart with its CRD and hooks, and waits until it runs', async () => {
    assert.match(await call('install', 'demo', chart, ...flags), /STATUS: deployed\nREVISION: 1/);
    assert.equal(await get('.spec', 'shelf', 'demo'), '{"label":"plain","size":3}');
    assert.equal(await get('.status.succeeded', 'job', 'demo-prepare'), '1');
    assert.equal(await get('.status.readyReplicas', 'deployment', 'demo'), '1');
    assert.match(await call('list'), /^demo\s+default\s+1\s.*\sdeployed\s+shop-1\.0\.0/m);
  });

  it('upgrades, changing what differs and adding what is new', async () => {
    assert.match(await call('upgrade', 'demo', chart, ...flags, '--set=color=blue,replicas=2,shelfSize=5'), /REVISION: 2/);
    assert.equal(await get('.spec.size', 'shelf', 'demo'), '5');
    assert.equal(await get('.data.color', 'cm', 'demo'), 'blue');
    assert.equal(await get('.metadata.name', 'cm', 'demo-only-blue'), 'demo-only-blue');
    assert.equal(await get('.status.readyReplicas', 'deployment', 'demo'), '2');
  });

  it('rolls back', async () => {
    assert.match(await call('rollback', 'demo', '1', '--wait', '--timeout=90s'), /Rollback was a success/);
    assert.equal(await get('.spec.size', 'shelf', 'demo'), '3');
    assert.equal(await get('.data.color', 'cm', 'demo'), 'red');
    assert.equal(await get('.metadata.name', 'cm', 'demo-only-blue'), '');
    assert.equal(await get('.status.replicas', 'deployment', 'demo'), '1');
    assert.match(await call('get', 'manifest', 'demo'), /color: "red"/);
  });

  it('says when an upgrade is refused or its hook fails', async () => {
    const refused = await attempt('upgrade', 'demo', chart, ...flags, '--set=shelfSize=0');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /spec\.size: Invalid value: 0: spec\.size in body should be greater than or equal to 1/);
    const failed = await attempt('upgrade', 'demo', chart, ...flags, '--set=broken=true');
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /pre-upgrade hooks? failed/);
    assert.match(await call('history', 'demo'), /^4\s.*\sfailed\s[^]*^5\s.*\sfailed\s/m);
  });

  it('uninstalls, leaving the CRD and what its last hook made', async () => {
    assert.match(await call('uninstall', 'demo', '--wait', '--timeout=90s'), /release "demo" uninstalled/);
    assert.equal(await get('.items[*].metadata.name', 'deployment,shelf,service', '-l', 'app.kubernetes.io/managed-by=Helm'), '');
    assert.equal(await get('.metadata.name', 'deployment', 'demo'), '');
    assert.equal(await get('.metadata.name', 'cm', 'demo'), '');
    assert.equal(await get('.data.revision', 'cm', 'demo-farewell'), '5');
    assert.equal(await get('.metadata.name', 'crd', 'shelves.shop.example.com'), 'shelves.shop.example.com');
    assert.doesNotMatch(await call('list', '--all-namespaces', '-q'), /demo/);
  });
});
