import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withSystemDirectories } from '#core/system-path.ts';

describe('the PATH of the platform', () => {
  test('has the system directories at its end, each once, and keeps the order of the others', () => {
    assert.equal(withSystemDirectories('/usr/bin:/usr/sbin:/bin'), '/usr/bin:/usr/sbin:/bin:/usr/local/sbin:/sbin');
  });

  test('is those alone when there is none, and never the working directory', () => {
    assert.equal(withSystemDirectories(undefined), '/usr/local/sbin:/usr/sbin:/sbin');
    assert.equal(withSystemDirectories(':/bin:'), '/bin:/usr/local/sbin:/usr/sbin:/sbin');
  });
});
