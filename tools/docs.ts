import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePages } from '#cli/reference.ts';

/** `npm run docs`: writes the pages of docs/reference that derive from tables of the code. A unit test fails when they are not current. */
for (const [name, text] of Object.entries(referencePages())) {
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'reference', name), text);
  console.log(`docs/reference/${name}`);
}
