import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { SqliteStorage } from './sqlite-storage.ts';
import { describeStorage } from './storage-contract.ts';

describe('sqlite storage', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dormouse-storage-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  let files = 0;

  describeStorage('sqlite storage', () => SqliteStorage.open({ file: join(directory, `${++files}`, 'state.db') }));
});
