import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, lstatSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inCluster } from '#client/in-cluster.ts';
import {
  connectionOf,
  kubeconfigOf,
  kubeconfigPaths,
  loadKubeconfig,
  mergeKubeconfig,
  parseKubeconfig,
  writeKubeconfig,
} from '#client/kubeconfig.ts';
import { tokenFile } from '#client/token-file.ts';
import { FakeClock } from '#core/clock.ts';

const ours = kubeconfigOf({
  name: 'dormouse',
  server: 'https://127.0.0.1:6443',
  certificateAuthority: 'CA PEM',
  clientCertificate: { certificate: 'CERT PEM', key: 'KEY PEM' },
});

describe('kubeconfig', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'))));
  after(() => rmSync(folder, { recursive: true }));

  it('says how to reach the cluster, all in one file', () => {
    const path = join(folder, 'new', 'config');
    writeKubeconfig(path, ours);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(connectionOf(loadKubeconfig([path])), {
      context: 'dormouse',
      namespace: 'default',
      connection: {
        server: 'https://127.0.0.1:6443',
        certificateAuthority: 'CA PEM',
        clientCertificate: { certificate: 'CERT PEM', key: 'KEY PEM' },
      },
    });
  });

  it('merges into what is there without touching what it does not know', () => {
    const theirs = parseKubeconfig(
      'current-context: work\nextensions: [1]\nclusters: [{name: work, cluster: {server: "https://work", proxy-url: x}}]\nusers: [{name: work, user: {exec: {command: gke}}}]\ncontexts: [{name: work, context: {cluster: work, user: work}}]',
      'test',
      '/etc',
    );
    const merged = mergeKubeconfig(theirs, ours);
    assert.equal(merged['current-context'], 'dormouse');
    assert.deepEqual(merged.clusters[0], { name: 'work', cluster: { server: 'https://work', 'proxy-url': 'x' } });
    assert.deepEqual(merged['extensions'], [1]);
    assert.equal(mergeKubeconfig(merged, ours).users.length, 2);
    assert.throws(() => connectionOf(merged, 'work'), /"exec", which is not supported/);
  });

  it('takes the first of several files for a name, and file names relative to their own folder', () => {
    writeFileSync(join(folder, 'ca.pem'), 'FILE CA');
    writeFileSync(
      join(folder, 'one'),
      'current-context: c\nclusters: [{name: k, cluster: {server: "https://one", certificate-authority: ca.pem}}]',
    );
    writeFileSync(
      join(folder, 'two'),
      'clusters: [{name: k, cluster: {server: "https://two"}}]\ncontexts: [{name: c, context: {cluster: k, namespace: n}}]',
    );
    const config = loadKubeconfig([join(folder, 'one'), join(folder, 'missing'), join(folder, 'two')]);
    assert.deepEqual(connectionOf(config), {
      context: 'c',
      namespace: 'n',
      connection: { server: 'https://one', certificateAuthority: 'FILE CA' },
    });
  });

  it('writes through a symbolic link', () => {
    writeFileSync(join(folder, 'target'), '');
    symlinkSync(join(folder, 'target'), join(folder, 'link'));
    writeKubeconfig(join(folder, 'link'), ours);
    assert.ok(lstatSync(join(folder, 'link')).isSymbolicLink());
    assert.match(readFileSync(join(folder, 'target'), 'utf8'), /current-context: dormouse/);
  });

  it('says what is wrong with a file', () => {
    assert.throws(() => parseKubeconfig('a: [', 'the file', '/'), /the file is not valid YAML/);
    assert.throws(() => parseKubeconfig('- 1', 'the file', '/'), /the file is not a kubeconfig/);
    assert.throws(() => parseKubeconfig('clusters: {}', 'the file', '/'), /clusters is not a list/);
    assert.throws(() => parseKubeconfig('users: [{}]', 'the file', '/'), /an entry of users has no name/);
    assert.throws(() => connectionOf(parseKubeconfig('', 'the file', '/')), /no current context/);
    assert.throws(() => connectionOf(ours, 'other'), /no context "other"/);
  });

  it('is looked for where kubectl looks', () => {
    assert.deepEqual(kubeconfigPaths({ KUBECONFIG: '/a::/b', HOME: '/home/me' }), ['/a', '/b']);
    assert.deepEqual(kubeconfigPaths({ HOME: '/home/me' }), ['/home/me/.kube/config']);
  });

  it('is not needed in a pod', () => {
    writeFileSync(join(folder, 'token'), 'T\n');
    writeFileSync(join(folder, 'ca.crt'), 'POD CA');
    const { connection, namespace } = inCluster({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }, folder);
    assert.equal(connection.server, 'https://[fd00::1]:6443');
    assert.equal(connection.certificateAuthority, 'POD CA');
    assert.equal(connection.token?.(), 'T');
    assert.equal(namespace, 'default');
    assert.throws(() => inCluster({}, folder), /not running in a pod/);
  });

  it('reads a rotated token, and keeps the last one while the file is being replaced', async () => {
    const clock = new FakeClock();
    const path = join(folder, 'rotating');
    writeFileSync(path, 'one');
    const token = tokenFile(path, clock);
    writeFileSync(path, 'two');
    assert.equal(token(), 'one');
    await clock.advance(60_000);
    assert.equal(token(), 'two');
    rmSync(path);
    await clock.advance(60_000);
    assert.equal(token(), 'two');
  });
});
