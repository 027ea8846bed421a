import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { digestOf } from '../store/blob-store.ts';
import { LayerStore } from '../store/layer-store.ts';

type Entry = Partial<Header> & { name: string; body?: string };

async function archive(...entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { body = '', ...header } of entries) {
    if (header.type === undefined || header.type === 'file') tar.entry(header as Header, body);
    else tar.entry(header as Header);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('layers', () => {
  const root = mkdtempSync(join(tmpdir(), 'dormouse-layers-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const layerNames = () => readdirSync(join(root, 'layers')).filter((name) => !name.startsWith('.unsynced-'));
  const opened = LayerStore.open(root, { keepOwners: false, limits: { maxBytes: 1 << 22, maxEntries: 1000 } });
  const unpack = async (bytes: Buffer, parents: readonly string[] = [], sent: Buffer = bytes) =>
    (await opened).ensure(digestOf(bytes), parents, () => Readable.from([sent]));

  it('unpacks plain, gzip and zstd alike, once for equal content', async () => {
    const bytes = await archive({ name: 'a/b', body: 'hi', mode: 0o640 });
    const [one, two] = await Promise.all([unpack(bytes, [], gzipSync(bytes)), unpack(bytes, [], zstdCompressSync(bytes))]);
    assert.equal(one, two);
    assert.equal(readFileSync(join(one, 'a/b'), 'utf8'), 'hi');
    assert.equal(statSync(join(one, 'a/b')).mode & 0o777, 0o640);
  });

  it('follows links inside the layer and never out of it', async () => {
    const outside = join(root, 'outside');
    writeFileSync(outside, 'untouched');
    const directory = await unpack(
      await archive(
        { name: 'evil', type: 'symlink', linkname: root },
        { name: 'evil/outside', body: 'owned' },
        { name: 'up', type: 'symlink', linkname: '../../../../..' },
        { name: 'up/etc/owned', body: 'x' },
      ),
    );
    assert.equal(readFileSync(outside, 'utf8'), 'untouched');
    assert.equal(readFileSync(join(directory, root, 'outside'), 'utf8'), 'owned');
    assert.equal(readFileSync(join(directory, 'etc/owned'), 'utf8'), 'x');
  });

  it('touches nothing outside by what it does at the end, when a directory has become a link meanwhile', async () => {
    const outside = join(root, 'elsewhere');
    mkdirSync(join(outside, 'sub'), { recursive: true, mode: 0o700 });
    const before = statSync(join(outside, 'sub'));
    const directory = await unpack(
      await archive(
        { name: 'd/sub/', type: 'directory', mode: 0o777, mtime: new Date(1000) },
        { name: 'd/.wh.planted' },
        { name: 'd/sub/.wh..wh..opq' },
        { name: 'd', type: 'symlink', linkname: outside },
        { name: 'd/sub/.wh.inside' },
      ),
    );
    assert.deepEqual(readdirSync(outside), ['sub']);
    assert.deepEqual(readdirSync(join(outside, 'sub')), []);
    const now = statSync(join(outside, 'sub'));
    assert.deepEqual([now.mode, now.mtimeMs], [before.mode, before.mtimeMs]);
    assert.equal(readlinkSync(join(directory, 'd')), outside);
    assert.ok(lstatSync(join(directory, outside, 'sub/inside')).isCharacterDevice(), 'what came after the link went where it leads inside');
  });

  it('follows a hard link to a link neither when it is made nor when it is written to', async () => {
    const outside = join(root, 'victim');
    writeFileSync(outside, 'untouched', { mode: 0o600 });
    const directory = await unpack(
      await archive(
        { name: 'soft', type: 'symlink', linkname: outside },
        { name: 'hard', type: 'link', linkname: 'soft' },
        { name: 'hard', body: 'owned', mode: 0o777 },
        { name: 'soft', body: 'owned too', mode: 0o777 },
      ),
    );
    assert.equal(readFileSync(outside, 'utf8'), 'untouched');
    assert.equal(statSync(outside).mode & 0o777, 0o600);
    assert.equal(readFileSync(join(directory, 'hard'), 'utf8'), 'owned');
  });

  for (const [what, entries] of [
    ['a hard link with ..', [{ name: 'x', type: 'link', linkname: '../../etc/passwd' }]],
    [
      'a hard link through a link out of the layer',
      [
        { name: 'l', type: 'symlink', linkname: '/etc' },
        { name: 'x', type: 'link', linkname: 'l/passwd' },
      ],
    ],
    ['a whiteout of ..', [{ name: '.wh...' }]],
    [
      'an entry below a file',
      [
        { name: 'f', body: '' },
        { name: 'f/x', body: '' },
      ],
    ],
    ['a name with ..', [{ name: '../x', body: 'x' }]],
    ['a hard link to nothing in the layer', [{ name: 'x', type: 'link', linkname: '/etc/passwd' }]],
    [
      'a link loop',
      [
        { name: 'a', type: 'symlink', linkname: 'b' },
        { name: 'b', type: 'symlink', linkname: 'a' },
        { name: 'a/x', body: '' },
      ],
    ],
    ['more bytes than allowed', [{ name: 'x', body: 'x'.repeat(1 << 23) }]],
  ] as const) {
    it(`refuses ${what} and leaves nothing behind`, async () => {
      const before = layerNames();
      await assert.rejects(unpack(await archive(...(entries as readonly Entry[]))), { code: 'LAYER_INVALID' });
      assert.deepEqual(layerNames(), before);
    });
  }

  it('refuses content of another digest, a torn archive and something that is no archive', async () => {
    const bytes = await archive({ name: 'x', body: 'y' });
    await assert.rejects(unpack(bytes, [], await archive({ name: 'x', body: 'z' })), { code: 'DIGEST_INVALID' });
    await assert.rejects(unpack(bytes, [], gzipSync(bytes).subarray(0, 40)));
    await assert.rejects(unpack(bytes, [], Buffer.alloc(2048, 'x')));
  });

  it('keeps hard links, replaces files, skips devices', async () => {
    const directory = await unpack(
      await archive(
        { name: 'one', body: '1' },
        { name: 'two', type: 'link', linkname: 'one' },
        { name: 'gone', type: 'symlink', linkname: '/nowhere' },
        { name: 'gone', body: 'file' },
        { name: 'null', type: 'character-device', devmajor: 1, devminor: 3 },
      ),
    );
    assert.equal(statSync(join(directory, 'one')).ino, statSync(join(directory, 'two')).ino);
    assert.equal(readFileSync(join(directory, 'gone'), 'utf8'), 'file');
    assert.equal(existsSync(join(directory, 'null')), false);
  });

  it('writes whiteouts as overlayfs wants them, opaque directories as one for each name below', async () => {
    const base = await unpack(
      await archive(
        { name: 'd/one', body: '1' },
        { name: 'd/two', body: '2' },
        { name: 'd/sub/deep', body: '' },
        { name: 'file', body: '' },
      ),
    );
    const top = await unpack(
      await archive({ name: '.wh.file' }, { name: 'd/', type: 'directory' }, { name: 'd/two', body: 'new' }, { name: 'd/.wh..wh..opq' }),
      [base],
    );
    const isWhiteout = (name: string) => lstatSync(join(top, name)).isCharacterDevice() && lstatSync(join(top, name)).rdev === 0;
    assert.deepEqual(['file', 'd/one', 'd/sub'].map(isWhiteout), [true, true, true]);
    assert.equal(readFileSync(join(top, 'd/two'), 'utf8'), 'new');
    assert.ok(
      readdirSync(join(root, 'layers')).some((name) => top.endsWith(name) && name.startsWith('c-')),
      'named by its chain',
    );
  });

  it('keeps symbolic links as written', async () => {
    const directory = await unpack(await archive({ name: 'l', type: 'symlink', linkname: '/usr/../x' }));
    assert.equal(readlinkSync(join(directory, 'l')), '/usr/../x');
  });
});
