import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { autoscalingPrefix } from '#apis/serving/validation/annotations.ts';
import { referencePages, revisionReasons, userAnnotations } from '#cli/reference.ts';

describe('docs/reference', () => {
  for (const [name, text] of Object.entries(referencePages())) {
    test(`${name} is what the code says (else: npm run docs)`, () => {
      assert.equal(readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8'), text);
    });
  }

  test('errors.md names reasons that the platform gives', () => {
    const source = globSync('{serving,autoscaler,apis}/**/*.ts', { cwd: new URL('..', import.meta.url).pathname })
      .filter((name) => !name.endsWith('.test.ts'))
      .map((name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'))
      .join('\n');
    for (const reason of Object.keys(revisionReasons)) assert.match(source, new RegExp(`['"\`]${reason}\\b|\`${reason}`), reason);
  });

  test('annotations.md has exactly the autoscaling annotations that the autoscaler and its validation read', () => {
    const sources = ['autoscaler/spec.ts', 'apis/serving/validation/annotations.ts'].map((name) =>
      readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'),
    );
    const read = sources.flatMap((text) => [...text.matchAll(/(?:autoscalingAnnotation\([\w.]+, |\b(?:number|duration)\()'([a-z-]+)'/g)]);
    const known = new Set(read.map(([, name]) => `${autoscalingPrefix}${name}`));
    const documented = Object.keys(userAnnotations.template).filter((name) => name.startsWith(autoscalingPrefix));
    assert.deepEqual(documented.toSorted(), [...known].toSorted());
  });
});
