import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readChoice, readPort, resolveConfig } from '#core/config.ts';

const settings = {
  port: { flag: 'port', env: 'T_PORT', key: 'port', summary: '', fallback: () => 1, read: readPort },
  name: { flag: 'name', env: 'T_NAME', key: 'name', summary: '', fallback: () => 'none', read: (text: string) => text },
  mode: { flag: 'mode', env: 'T_MODE', summary: '', fallback: () => 'a' as const, read: readChoice(['a', 'b']) },
};

test('a flag wins over the environment, that over the file, that over the default', () => {
  const { values, origins } = resolveConfig(settings, {
    flags: { port: '4' },
    environment: { T_PORT: '3', T_NAME: 'env' },
    file: { port: 2, name: 'file' },
  });
  assert.deepEqual(values, { port: 4, name: 'env', mode: 'a' });
  assert.deepEqual(origins, { port: 'flag', name: 'environment', mode: 'default' });
});

test('a value that cannot be read names where it came from', () => {
  assert.throws(() => resolveConfig(settings, { flags: { port: '70000' }, environment: {}, file: {} }), /--port: "70000" is not a port/);
  assert.throws(() => resolveConfig(settings, { flags: {}, environment: { T_MODE: 'c' }, file: {} }), /T_MODE: "c" is not one of a, b/);
});

test('an unknown key in the file is refused', () => {
  assert.throws(() => resolveConfig(settings, { flags: {}, environment: {}, file: { prot: 1 } }), /unknown key "prot"/);
});
