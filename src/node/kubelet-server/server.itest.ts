import assert from 'node:assert/strict';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { tokenReviews, type TokenReview } from '#apis/authentication/v1/token-review.ts';
import { subjectAccessReviews, type SubjectAccessReview } from '#apis/authorization/v1/subject-access-review.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Client } from '#client/client.ts';
import { silentLogger } from '#core/logger.ts';
import { noMetrics } from '#core/metrics.ts';
import { startKubeletServer, type KubeletServer } from '#node/kubelet-server/server.ts';
import { ProviderFixture, testPod } from '#node/testing/fixture.ts';
import { createAuthority, issueCertificate, type KeyPair } from '#wire/certificates.ts';

/** An API that knows one token and lets one user in. */
const client = {
  of: (resource: { plural: string }) => ({
    create: (review: TokenReview & SubjectAccessReview) => {
      if (resource.plural === tokenReviews.plural) {
        const authenticated = review.spec?.token === 'good';
        return Promise.resolve({ ...review, status: { authenticated, user: { username: 'admin', groups: [] } } });
      }
      assert.equal(resource.plural, subjectAccessReviews.plural);
      return Promise.resolve({ ...review, status: { allowed: review.spec?.user === 'admin' } });
    },
  }),
} as unknown as Client;

describe('the kubelet API', () => {
  let fixture: ProviderFixture;
  let server: KubeletServer;
  let certificates: Record<'admin' | 'stranger' | 'foreign', KeyPair>;
  const pod: Pod = testPod();

  before(async () => {
    fixture = await ProviderFixture.create();
    fixture.engine.programs.set('app', {
      output: 'hello',
      exec: (command) => ({ code: command[0] === 'fail' ? 3 : 0, output: command.join(' ') }),
    });
    await fixture.provider.createPod(pod);
    await fixture.until(() => fixture.status(pod.metadata.uid ?? '')?.phase === 'Running');
    const authority = await createAuthority('test', 1);
    const other = await createAuthority('other', 1);
    const issue = (by: KeyPair, commonName: string) => issueCertificate(by, { commonName, usage: 'client', days: 1 });
    certificates = {
      admin: await issue(authority, 'admin'),
      stranger: await issue(authority, 'stranger'),
      foreign: await issue(other, 'admin'),
    };
    const own = await issueCertificate(authority, { commonName: 'kubelet', hosts: ['127.0.0.1'], usage: 'server', days: 1 });
    server = await startKubeletServer({
      settings: { host: '127.0.0.1', port: 0, ...own, clientAuthority: authority.certificate },
      client,
      provider: fixture.provider,
      pods: {
        get: (namespace, name) => (namespace === 'default' && name === 'web' ? pod : undefined),
        list: () => [pod],
        byIndex: () => [],
      },
      nodeName: 'node-1',
      clock: fixture.clock,
      logger: silentLogger,
      metrics: noMetrics,
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  const identity = ({ certificate, privateKey }: KeyPair) => ({ cert: certificate, key: privateKey });
  function get(path: string, options: RequestOptions = identity(certificates.admin)): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(
        { host: '127.0.0.1', port: server.port, path, rejectUnauthorized: false, agent: false, ...options },
        (answer) => {
          let body = '';
          answer.on('data', (part) => (body += String(part)));
          answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }));
        },
      );
      sent.once('error', reject);
      sent.end();
    });
  }

  it('lets nobody in without a certificate of its authority or a token, and none who may not', async () => {
    assert.equal((await get('/healthz', {})).status, 200);
    assert.equal((await get('/pods', {})).status, 401);
    assert.equal((await get('/pods', { headers: { authorization: 'Bearer bad' } })).status, 401);
    assert.equal((await get('/pods', { headers: { authorization: 'Bearer good' } })).status, 200);
    assert.equal((await get('/pods', identity(certificates.foreign))).status, 401);
    const stranger = await get('/stats/summary', identity(certificates.stranger));
    assert.deepEqual(stranger, { status: 403, body: 'Forbidden (user=stranger, verb=get, resource=nodes, subresource=stats)\n' });
  });

  const refusals = [
    ['/containerLogs/default/web/app?tailLines=-1', 400, /invalid tailLines/],
    ['/containerLogs/default/web/app?limitBytes=0', 400, /invalid limitBytes/],
    ['/containerLogs/default/web/app?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z', 400, /at most one of/],
    ['/containerLogs/default/web/app?sinceTime=yesterday', 400, /invalid sinceTime/],
    ['/containerLogs/default/web/nope', 400, /container nope is not valid for pod web/],
    ['/containerLogs/default/web/app?previous=true', 400, /previous terminated container "app" in pod "web" not found/],
    ['/containerLogs/default/nope/app', 404, /pod "nope" not found/],
    ['/exec/default/web/app?command=ls&output=1', 400, /Upgrade request required/],
    ['/%zz', 400, /./],
    ['/nothing', 404, /404/],
    ['//', 404, /404/],
  ] as const;
  for (const [path, status, message] of refusals) {
    it(`answers ${path} with ${status}`, async () => {
      const answer = await get(path);
      assert.equal(answer.status, status, answer.body);
      assert.match(answer.body, message);
    });
  }

  it('serves logs, pods, statistics and metrics', async () => {
    assert.deepEqual(await get('/containerLogs/default/web/app'), { status: 200, body: 'hello\n' });
    const running = JSON.parse((await get('/runningpods/')).body) as { items: Pod[] };
    assert.equal(running.items[0]?.metadata.name, 'web');
    const summary = JSON.parse((await get('/stats/summary')).body) as {
      pods: { podRef: { name: string }; containers: { name: string }[] }[];
    };
    assert.equal(summary.pods[0]?.podRef.name, 'web');
    assert.equal(summary.pods[0].containers[0]?.name, 'app');
    const metrics = (await get('/metrics/resource')).body;
    assert.match(metrics, /^pod_cpu_usage_seconds_total\{namespace="default",pod="web"\} 0\.001 /m);
    assert.match(metrics, /^container_memory_working_set_bytes\{container="app",namespace="default",pod="web"\} 4096 /m);
  });

  function exec(query: string): Promise<{ output: string; status: string }> {
    return new Promise((resolve, reject) => {
      const url = `wss://127.0.0.1:${server.port}/exec/default/web/app?${query}`;
      const socket = new WebSocket(url, ['v5.channel.k8s.io'], { ...identity(certificates.admin), rejectUnauthorized: false });
      const result = { output: '', status: '' };
      socket.on('message', (data: Buffer) => {
        if (data[0] === 1) result.output += data.toString('utf8', 1);
        if (data[0] === 3) result.status += data.toString('utf8', 1);
      });
      socket.once('error', reject);
      socket.once('close', () => resolve(result));
    });
  }

  it('runs commands and reports their exit code', async () => {
    assert.deepEqual(await exec('output=1&command=echo&command=hi'), { output: 'echo hi', status: '{"metadata":{},"status":"Success"}' });
    const failed = await exec('output=1&command=fail');
    assert.match(failed.status, /"reason":"ExitCode","message":"3"/);
  });

  it('refuses streams before it upgrades', async () => {
    await assert.rejects(exec('output=1'), /400/);
    await assert.rejects(exec('command=ls'), /400/);
  });
});
