import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pack as newPack } from 'tar-stream';
import { UserError } from '#core/errors.ts';
import { restoreBackup, writeBackup } from '#platform/backup.ts';
import { layoutOf, type Layout } from '#platform/layout.ts';
import { dataVersion } from '#platform/version.ts';

const now = new Date('2026-01-02T03:04:05Z');
const says = (text: RegExp) => (error: unknown) => error instanceof UserError && text.test(error.message);

describe('backup', () => {
  let directory = '';
  let from: Layout;
  let to: Layout;
  let file = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'dormouse-backup-'));
    from = layoutOf(join(directory, 'from'));
    to = layoutOf(join(directory, 'to'));
    file = join(directory, 'b.tar');
    for (const path of [from.pkiDir, join(from.imagesDir, 'blobs', 'sha256'), join(from.imagesDir, 'layers'), from.logsDir])
      mkdirSync(path, { recursive: true });
    writeFileSync(from.database, 'not this one');
    writeFileSync(from.versionFile, `${dataVersion}\n`);
    writeFileSync(join(from.pkiDir, 'ca.key'), 'key', { mode: 0o600 });
    writeFileSync(join(from.imagesDir, 'blobs', 'sha256', 'abc'), 'blob');
    writeFileSync(join(from.imagesDir, 'layers', 'x'), 'made again');
    writeFileSync(join(from.logsDir, 'node.log'), 'log');
    writeFileSync(join(directory, 'copy.db'), Buffer.alloc(300_000, 'd'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const write = (images: boolean) => writeBackup(from, join(directory, 'copy.db'), file, { images, now });

  test('is readable by its owner alone and restores database, keys and blobs; logs and unpacked layers stay out', async () => {
    await write(true);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const manifest = await restoreBackup(to, file);
    assert.deepEqual([manifest.createdAt, manifest.images], [now.toISOString(), true]);
    assert.deepEqual(readdirSync(to.dataDir).toSorted(), ['images', 'pki', 'state.db', 'version']);
    assert.deepEqual(readFileSync(to.database), readFileSync(join(directory, 'copy.db')));
    assert.equal(statSync(join(to.pkiDir, 'ca.key')).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(to.imagesDir), ['blobs']);
    assert.equal(statSync(to.dataDir).mode & 0o777, 0o700);
  });

  test('without images has none', async () => {
    await write(false);
    await restoreBackup(to, file);
    assert.equal(existsSync(to.imagesDir), false);
  });

  test('overwrites no file, and restores into no directory that holds something', async () => {
    await write(false);
    await assert.rejects(write(false), says(/b\.tar exists already/));
    await assert.rejects(restoreBackup(from, file), says(/is not empty/));
    assert.equal(readFileSync(from.database, 'utf8'), 'not this one');
  });

  test('an archive that is cut short, foreign or newer restores nothing', async () => {
    await write(false);
    truncateSync(file, 100_000);
    await assert.rejects(restoreBackup(to, file), UserError);
    await archive([['hello.txt', 'x']]);
    await assert.rejects(restoreBackup(to, file), says(/not a complete backup/));
    await archive([['dormouse-backup.json', JSON.stringify({ format: 1, dataVersion: 99, version: '9.0.0' })]]);
    await assert.rejects(restoreBackup(to, file), says(/newer dormouse \(9\.0\.0/));
    assert.deepEqual(readdirSync(directory).toSorted(), ['b.tar', 'copy.db', 'from']);
  });

  for (const name of ['pki/../../../outside', '/etc/outside', 'node/engine']) {
    test(`an entry ${name} is refused`, async () => {
      await archive([
        ['dormouse-backup.json', JSON.stringify({ format: 1, dataVersion, version: '0' })],
        [name, 'x'],
      ]);
      await assert.rejects(restoreBackup(to, file), says(/which is no part of a backup/));
      assert.equal(existsSync(to.dataDir), false);
    });
  }

  async function archive(entries: readonly (readonly [string, string])[]): Promise<void> {
    const pack = newPack();
    for (const [name, content] of entries) pack.entry({ name }, content);
    pack.finalize();
    await pipeline(pack, createWriteStream(file));
  }
});
