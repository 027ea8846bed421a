import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { modernConfigurationSpec, modernServiceSpec } from '#apis/serving/legacy.ts';

const container = { image: 'example.com/app' };
const stored = {
  template: { spec: { containers: [container], enableServiceLinks: false } },
  traffic: [{ latestRevision: true, percent: 100 }],
};

describe('old shapes applied again on top of the stored one', () => {
  for (const mode of ['runLatest', 'release', 'pinned']) {
    test(`${mode} means the same template as before`, () => {
      const configuration = { revisionTemplate: { spec: { container } } };
      const { template } = modernServiceSpec({ ...stored, [mode]: { configuration, revisions: ['@latest'], revisionName: 'a' } });
      assert.deepEqual(template, stored.template);
    });
  }

  test('a revisionTemplate of a configuration too, but its own word wins', () => {
    const again = modernConfigurationSpec({ ...stored, revisionTemplate: { spec: { container } } }, 'spec');
    assert.deepEqual(again['template'], stored.template);
    const said = modernConfigurationSpec({ ...stored, revisionTemplate: { spec: { container, enableServiceLinks: true } } }, 'spec');
    assert.deepEqual(said['template'], { spec: { containers: [container], enableServiceLinks: true } });
  });
});
