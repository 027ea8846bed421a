import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localAddress, localHost } from '#platform/local-host.ts';

test('listeners on all addresses are reached by loopback; in a URL addresses of version 6 have brackets, for a socket they have none', () => {
  const cases = ['127.0.0.1', '198.51.100.1', '0.0.0.0', '::', '2001:db8::1'];
  assert.deepEqual(cases.map(localAddress), ['127.0.0.1', '198.51.100.1', '127.0.0.1', '::1', '2001:db8::1']);
  assert.deepEqual(cases.map(localHost), ['127.0.0.1', '198.51.100.1', '127.0.0.1', '[::1]', '[2001:db8::1]']);
});
