import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printData, table } from '#cli/output.ts';
import { systemdUnit } from '#cli/systemd-unit.ts';
import { Sink } from '#cli/testing.ts';

describe('output', () => {
  test('columns are as wide as their widest cell and lines end without blanks', () => {
    assert.equal(
      table(
        ['A', 'LONG', 'B'],
        [
          ['wide', '1', ''],
          ['x', '22222', 'end'],
        ],
      ),
      'A      LONG    B\nwide   1\nx      22222   end',
    );
  });

  test('data is JSON or YAML, without managed fields', async () => {
    const [json, yaml] = [new Sink(), new Sink()];
    await printData(json, 'json', [{ a: 1 }]);
    await printData(yaml, 'yaml', [{ a: 1, metadata: { managedFields: [1] } }]);
    assert.deepEqual([JSON.parse(json.text), yaml.text], [[{ a: 1 }], '- a: 1\n  metadata: {}\n']);
  });

  test("the systemd unit quotes what is systemd's own and signals the supervisor alone", () => {
    const unit = systemdUnit(['/usr/bin/node', 'up', '--domain=50% $x "y"'], 'system');
    assert.match(unit, /^ExecStart=\/usr\/bin\/node up "--domain=50%% \$\$x \\"y\\""$/m);
    assert.match(unit, /^KillMode=mixed$/m);
    assert.match(unit, /^WantedBy=multi-user.target$/m);
    assert.match(systemdUnit(['x'], 'user'), /^WantedBy=default.target$/m);
  });
});
