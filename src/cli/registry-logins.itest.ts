import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { registryLogins } from '#cli/registry-logins.ts';
import { Sink } from '#cli/testing.ts';

const auth = (pair: string) => ({ auth: Buffer.from(pair).toString('base64') });

describe('the logins sent to a registry', () => {
  const home = mkdtempSync(join(tmpdir(), 'dormouse-logins-'));
  const stderr = new Sink();
  const path = process.env['PATH'];
  const write = (file: string, content: unknown, mode = 0o600): string => {
    const full = join(home, file);
    mkdirSync(join(full, '..'), { recursive: true });
    writeFileSync(full, typeof content === 'string' ? content : JSON.stringify(content));
    chmodSync(full, mode);
    return full;
  };
  const logins = async (image: string, options: Record<string, string | boolean> = {}, environment: Record<string, string> = {}) =>
    (
      await registryLogins(
        {
          options,
          positionals: [],
          environment: { HOME: home, ...environment },
          stdout: stderr,
          stderr,
          signal: AbortSignal.timeout(60_000),
        },
        image,
      )
    ).map(({ registry, username, password, identityToken }) => [registry, username, identityToken ?? password].join(' '));
  before(() => {
    // The protocol's other end: knows one registry, and for another a refresh token.
    const helper = `#!/bin/sh
read server
case "$1 $server" in
  "get helped.example") echo '{"ServerURL":"helped.example","Username":"carol","Secret":"kept"}';;
  "get https://index.docker.io/v1/") echo '{"Username":"<token>","Secret":"refresh"}';;
  *) echo "credentials not found in native keychain"; exit 1;;
esac
`;
    write('bin/docker-credential-test', helper, 0o755);
    process.env['PATH'] = `${join(home, 'bin')}${delimiter}${path}`;
  });
  after(() => {
    process.env['PATH'] = path;
    rmSync(home, { recursive: true, force: true });
  });

  it('are those of podman and skopeo before those of docker; none without files', async () => {
    assert.deepEqual(await logins('a.example/x'), []);
    write('.docker/config.json', { auths: { 'a.example': auth('docker:1') } });
    assert.deepEqual(await logins('a.example/x'), ['a.example docker 1']);
    write('.config/containers/auth.json', { auths: { 'a.example': auth('podman:2') } });
    write('run/containers/auth.json', { auths: { 'a.example': auth('skopeo:3') } });
    assert.deepEqual(await logins('a.example/x', {}, { XDG_RUNTIME_DIR: join(home, 'run') }), [
      'a.example skopeo 3',
      'a.example podman 2',
      'a.example docker 1',
    ]);
  });

  it('are asked from a credential helper, for the image’s registry alone', async () => {
    const authfile = write('helped.json', {
      auths: { 'helped.example': {} },
      credsStore: 'test',
      credHelpers: { 'odd.example': 'absent' },
    });
    assert.deepEqual(await logins('helped.example/x', { authfile }), ['helped.example carol kept']);
    assert.deepEqual(await logins('nginx', { authfile }), ['index.docker.io  refresh']);
    assert.deepEqual(await logins('unknown.example/x', { authfile }), []);
    assert.deepEqual(await logins('odd.example/x', {}, { REGISTRY_AUTH_FILE: authfile }), []);
    assert.match(stderr.text, /^docker-credential-absent cannot be asked for a login: .*ENOENT\n$/);
  });

  it('are those of the options before all others; half a login is refused', async () => {
    assert.deepEqual(await logins('a.example/x', { creds: 'me:p:w' }), ['a.example me p:w']);
    await assert.rejects(logins('a.example/x', { creds: 'me' }), /--creds is not USER:PASSWORD/);
    await assert.rejects(logins('a.example/x', { username: 'me' }), /go together/);
    await assert.rejects(logins('a.example/x', { creds: 'a:b', username: 'me' }), /cannot be given with/);
    await assert.rejects(logins('a.example/x', { authfile: join(home, 'nowhere') }), /nowhere: there is no such file/);
    await assert.rejects(logins('a.example/x', { authfile: write('bad.json', '{') }), /bad\.json is not JSON/);
  });
});
