import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { autoscalingPrefix } from '#apis/serving/validation/annotations.ts';
import { configTables } from '#apis/serving/config/tables.ts';
import { withoutEffect } from '#cli/knative-configuration.ts';
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

  test('knative-configuration.md says "no effect" of exactly the keys that nothing reads', () => {
    const sources = globSync('{serving,autoscaler,apis,gateway,controller,platform,node,apiserver}/**/*.ts', {
      cwd: new URL('..', import.meta.url).pathname,
    })
      .filter((name) => !/\.i?test\.ts$|config\/(tables|checks)\.ts$/.test(name))
      .map((name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'))
      .join('\n');
    // The resources of containers are read under composed names.
    const isRead = (key: string) => sources.includes(`'${key}'`) || /^revision-(cpu|memory|ephemeral-storage)-/.test(key);
    const keys = Object.values(configTables).flatMap((table) => Object.keys(table));
    assert.deepEqual(keys.filter((key) => !isRead(key)).toSorted(), Object.keys(withoutEffect).toSorted());
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
