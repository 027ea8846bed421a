import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { proxyFor } from './proxy.ts';

const proxyOf = (environment: Record<string, string>, host = 'registry.example.com', port = 443, scheme: 'http' | 'https' = 'https') =>
  proxyFor(scheme, { host, port }, environment)?.href;

describe('the proxy for a destination', () => {
  it('is that of its scheme, in small letters or large, with a scheme of its own or without', () => {
    assert.equal(proxyOf({ HTTPS_PROXY: 'http://proxy:3128' }), 'http://proxy:3128/');
    assert.equal(proxyOf({ https_proxy: 'proxy:3128', HTTPS_PROXY: 'http://other' }), 'http://proxy:3128/');
    assert.equal(proxyOf({ HTTP_PROXY: 'proxy:3128' }), undefined);
    assert.equal(proxyOf({ HTTP_PROXY: 'proxy:3128' }, 'a', 80, 'http'), 'http://proxy:3128/');
    assert.equal(proxyOf({ HTTPS_PROXY: '' }), undefined);
  });

  it('is none for what NO_PROXY names: hosts with all below them, with a port or without', () => {
    const except = (exceptions: string, host?: string) => proxyOf({ HTTPS_PROXY: 'p', NO_PROXY: exceptions }, host) === undefined;
    for (const entry of [
      '*',
      'registry.example.com',
      'EXAMPLE.com',
      '.example.com',
      '*.example.com',
      'a, example.com:443',
      '10.0.0.1 com',
    ]) {
      assert.ok(except(entry), entry);
    }
    for (const entry of ['', 'other.com', 'ample.com', 'example.com:5000', 'registry']) assert.ok(!except(entry), entry);
    assert.ok(except('10.0.0.1', '10.0.0.1'));
  });
});
