import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { DurationError, formatGoDuration, humanDuration, parseGoDuration } from './durations.ts';
import { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from './names.ts';

describe('names', () => {
  test('messages are those of Kubernetes', () => {
    assert.deepEqual(dns1123Subdomain('A_b'), [
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]);
    assert.deepEqual(dns1123Label('a'.repeat(64)), ['must be no more than 63 characters']);
    assert.equal(dns1035Label('1a').length, 1);
    assert.deepEqual(qualifiedName('/x'), ['prefix part must be non-empty']);
    assert.deepEqual(qualifiedName('example.com/'), [
      'name part must be non-empty',
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ]);
  });

  test('good names pass', () => {
    assert.deepEqual(
      [dns1123Label('a-1'), dns1123Subdomain('a.b-c'), dns1035Label('a1'), qualifiedName('a.b/C_d'), labelValue('')],
      [[], [], [], [], []],
    );
  });
});

describe('durations', () => {
  test('Go texts', () => {
    assert.equal(parseGoDuration('1h2m3.5s'), 3_723_500_000_000n);
    assert.equal(parseGoDuration('-1.5ms'), -1_500_000n);
    assert.throws(() => parseGoDuration('5'), { message: 'time: missing unit in duration "5"' });
    assert.throws(() => parseGoDuration('5d'), { message: 'time: unknown unit "d" in duration "5d"' });
    for (const text of ['', '-', '.s', 's', '9999999h']) assert.throws(() => parseGoDuration(text), DurationError, text);
  });

  test('printed and parsed again it is the same', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 62n), max: 1n << 62n }), (nanos) => {
        assert.equal(parseGoDuration(formatGoDuration(nanos)), nanos);
      }),
    );
    assert.equal(formatGoDuration(90_000_000_000n), '1m30s');
    assert.equal(formatGoDuration(3_600_000_000_000n), '1h0m0s');
  });

  test('ages read like those of kubectl', () => {
    const second = 1000;
    const day = 86_400 * second;
    const ages = [0, 119, 121, 599, 601, 3 * 3600, 47 * 3600].map((seconds) => humanDuration(seconds * second));
    assert.deepEqual(ages, ['0s', '119s', '2m1s', '9m59s', '10m', '3h', '47h']);
    assert.deepEqual(
      [humanDuration(3 * day), humanDuration(400 * day), humanDuration(800 * day), humanDuration(-5000)],
      ['3d', '400d', '2y70d', '<invalid>'],
    );
  });
});
