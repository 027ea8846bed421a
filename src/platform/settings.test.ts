import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resolveConfig } from '#core/config.ts';
import { UserError } from '#core/errors.ts';
import { readMirrors } from '#platform/registry-mirrors.ts';
import { settings } from '#platform/settings.ts';

const resolve = (flags: Readonly<Record<string, string>>, file: Readonly<Record<string, unknown>> = {}) =>
  resolveConfig(settings, { flags, environment: {}, file }).values;

describe('the settings', () => {
  test('take addresses of both families, domains and names', () => {
    const { listen, domain, nodeName } = resolve({ listen: '::1', domain: 'apps.example.com', 'node-name': 'node-1' });
    assert.deepEqual([listen, domain, nodeName], ['::1', 'apps.example.com', 'node-1']);
  });

  test('read mirrors by registry, several of one in order', () => {
    const { registryMirrors } = resolve({
      'registry-mirrors': 'docker.io=https://a.example, *=http://localhost:5001,docker.io=https://b.example/x',
    });
    assert.deepEqual(readMirrors(registryMirrors), {
      'docker.io': ['https://a.example', 'https://b.example/x'],
      '*': ['http://localhost:5001'],
    });
    assert.deepEqual(readMirrors(resolve({}).registryMirrors), {});
  });

  for (const [flags, text] of [
    [{ listen: 'foo' }, '--listen: "foo" is not an IP address'],
    [{ listen: '' }, '--listen: "" is not an IP address'],
    [{ domain: 'bad domain' }, /^--domain: "bad domain" is not a name: a lowercase RFC 1123 subdomain/],
    [{ 'node-name': 'Bad_Name' }, /^--node-name: "Bad_Name" is not a name/],
    [{ 'http-port': '70000' }, '--http-port: "70000" is not a port'],
    [{ 'registry-mirrors': 'docker.io' }, '--registry-mirrors: "docker.io" is not HOST=URL'],
    [{ 'log-level': 'loud' }, '--log-level: "loud" is not one of debug, info, warn, error'],
  ] as const) {
    test(`refuse ${JSON.stringify(flags)}`, () => {
      assert.throws(
        () => resolve(flags),
        (error) => {
          assert.ok(error instanceof UserError);
          if (typeof text === 'string') assert.equal(error.message, text);
          else assert.match(error.message, text);
          return true;
        },
      );
    });
  }

  test('name the keys there are when the file has another', () => {
    assert.throws(
      () => resolve({}, { httpPrt: 1 }),
      (error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.hint ?? '', /^Known keys: listen, apiPort, httpPort,/);
        return true;
      },
    );
  });
});
