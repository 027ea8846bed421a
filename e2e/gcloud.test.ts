import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, run } from './support/run.ts';

/** `gcloud run --platform kubernetes`, as docs/guides/clients.md says: no account, the API port as its proxy. */

describe('gcloud run on kubernetes', { skip: findProgram('gcloud') === undefined && 'gcloud is not installed' }, () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await startPlatform();
    await platform.dormouse([
      'build',
      fileURLToPath(new URL('../examples/helloworld-nodejs', import.meta.url)),
      '-t',
      'localhost:5000/hello',
    ]);
  });
  after(() => platform[Symbol.asyncDispose]());

  /** Its output; standard error has the progress. */
  const gcloud = async (...words: readonly string[]) => {
    const where = ['--platform=kubernetes', `--kubeconfig=${platform.kubeconfig}`, '--context=dormouse', '--namespace=default'];
    const { CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE: _gcloud, REQUESTS_CA_BUNDLE: _requests, CURL_CA_BUNDLE: _curl, ...others } = process.env;
    const env = {
      ...others,
      CLOUDSDK_CONFIG: join(platform.dataDir, 'gcloud'),
      CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
      CLOUDSDK_AUTH_DISABLE_CREDENTIALS: 'true',
      CLOUDSDK_PROXY_TYPE: 'http',
      CLOUDSDK_PROXY_ADDRESS: '127.0.0.1',
      CLOUDSDK_PROXY_PORT: String(platform.port('api')),
    };
    const { code, stdout, stderr } = await run('env', [
      '-i',
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      'gcloud',
      'run',
      ...words,
      ...where,
    ]);
    assert.equal(code, 0, `gcloud run ${words.join(' ')}: ${stderr}`);
    return stdout + stderr;
  };
  const answer = () => run('curl', ['--silent', '-H', 'Host: gc.default.localhost', platform.gatewayUrl]);

  test('deploys, changes, describes, splits and deletes a service', async () => {
    assert.match(await gcloud('deploy', 'gc', '--image=localhost:5000/hello'), /serving .*100.* percent of traffic/s);
    assert.equal((await answer()).stdout, 'Hello NOT SPECIFIED!\n');
    await gcloud('services', 'update', 'gc', '--set-env-vars=TARGET=gcloud');
    assert.equal((await answer()).stdout, 'Hello gcloud!\n');
    assert.match(await gcloud('services', 'list'), /gc +default +http:\/\/gc\.default\.localhost/);
    const revision = (await platform.kubectl(['get', 'ksvc', 'gc', '-o', 'jsonpath={.status.latestReadyRevisionName}'])).trim();
    await gcloud('services', 'update-traffic', 'gc', `--to-revisions=${revision}=100`);
    assert.match(await gcloud('services', 'describe', 'gc'), new RegExp(`100%.*${revision}`, 's'));
    await gcloud('services', 'delete', 'gc');
    assert.equal((await platform.tryKubectl(['get', 'ksvc', 'gc'])).code, 1);
  });
});
