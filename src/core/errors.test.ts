import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorText } from '#core/errors.ts';

describe('the text of an error', () => {
  const refused = new Error('connection refused');

  test('has its causes after it', () => {
    assert.equal(errorText(new Error('no answer', { cause: refused })), 'no answer: connection refused');
  });

  test('does not repeat a cause that the message tells already', () => {
    const told = new Error('no answer: connection refused', { cause: refused });
    assert.equal(errorText(told), 'no answer: connection refused');
    assert.equal(errorText(new Error('not pulled', { cause: told })), 'not pulled: no answer: connection refused');
  });
});
