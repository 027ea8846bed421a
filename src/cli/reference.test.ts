import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { referencePages } from '#cli/reference.ts';

describe('docs/reference', () => {
  for (const [name, text] of Object.entries(referencePages())) {
    test(`${name} is what the code says (else: npm run docs)`, () => {
      assert.equal(readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8'), text);
    });
  }
});
