import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { columnCell, compileJsonPath, JsonPathError } from './json-path.ts';

const pod = {
  metadata: { name: 'a', labels: { 'app.kubernetes.io/name': 'web' } },
  status: {
    conditions: [
      { type: 'Initialized', status: 'True' },
      { type: 'Ready', status: 'False', n: 3 },
    ],
    list: [0, 1, 2, 3, 4],
  },
};

describe('JSONPath', () => {
  test('the forms of kubectl select what they select there', () => {
    for (const [path, expected] of [
      ['.metadata.name', ['a']],
      ['{.metadata.name}', ['a']],
      ['metadata.name', ['a']],
      ['$.metadata.name', ['a']],
      ['.status.conditions[?(@.type=="Ready")].status', ['False']],
      [".status.conditions[?(@.type=='Ready')]['status','type']", ['False', 'Ready']],
      ['.status.conditions[?(@.n>2)].type', ['Ready']],
      ['.status.conditions[?(@.n)].type', ['Ready']],
      ['.status.conditions[?(@.type != "Ready")].type', ['Initialized']],
      ['.status.conditions[*].type', ['Initialized', 'Ready']],
      ['.status.list[1:3]', [1, 2]],
      ['.status.list[::2]', [0, 2, 4]],
      ['.status.list[-1]', [4]],
      ['.status.list[0,2]', [0, 2]],
      ["['metadata'].labels['app.kubernetes.io/name']", ['web']],
      ['.metadata.labels.app\\.kubernetes\\.io/name', ['web']],
      ['..type', ['Initialized', 'Ready']],
      ['.nothing.here', []],
      ['.toString', []],
    ] as const)
      assert.deepEqual(compileJsonPath(path)(pod), expected, path);
  });

  test('a wrong path is refused when compiled', () => {
    for (const path of ['.a[', '.a[x]', '.a[?(@.b==)]', '.a[1:2:0]', '.a b', '.a[?(@.b=1)]', '.a["b]'])
      assert.throws(() => compileJsonPath(path), JsonPathError, path);
  });

  test('any text compiles or throws its own error', () => {
    const text = fc.string({
      unit: fc.constantFrom('.', 'a', '[', ']', '*', '?', '(', ')', '@', '=', '"', "'", '1', ':', '{', '}', '\\', '$'),
    });
    fc.assert(
      fc.property(text, fc.jsonValue(), (path, value) => {
        try {
          compileJsonPath(path)(value);
        } catch (error) {
          assert.ok(error instanceof JsonPathError, String(error));
        }
      }),
    );
  });

  test('cells: the first value, JSON for what is no scalar, null for none', () => {
    assert.equal(columnCell('.status.list')(pod), '[0,1,2,3,4]');
    assert.equal(columnCell('.status.list[2]')(pod), 2);
    assert.equal(columnCell('.nope')(pod), null);
  });
});
