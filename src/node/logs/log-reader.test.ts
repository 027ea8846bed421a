import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { logTail, readLog } from '#node/logs/log-reader.ts';
import type { LogOptions } from '#node/provider.ts';

const ended = AbortSignal.abort();
const line = (second: number, text: string, tag = 'F', stream = 'stdout') =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z ${stream} ${tag} ${text}\n`;

describe('container logs', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'logs-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  async function read(path: string, options: Partial<LogOptions> = {}): Promise<string> {
    const all = { follow: false, timestamps: false, signal: new AbortController().signal, ...options };
    const parts: Buffer[] = [];
    for await (const part of readLog(path, all, ended)) parts.push(part);
    return Buffer.concat(parts).toString();
  }
  async function file(name: string, text: string): Promise<string> {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  }

  it('are their lines without the headers, pieces of long lines joined, both streams', async () => {
    const path = await file('a.log', line(1, 'one') + line(2, 'tw', 'P') + line(2, 'o') + line(3, 'err', 'F', 'stderr') + line(4, ''));
    assert.equal(await read(path), 'one\ntwo\nerr\n\n');
  });

  it('carry timestamps where asked, once a line', async () => {
    const path = await file('b.log', line(1, 'on', 'P') + line(1, 'e') + line(2, 'two'));
    assert.equal(await read(path, { timestamps: true }), '2026-01-01T00:00:01.000000001Z one\n2026-01-01T00:00:02.000000001Z two\n');
  });

  it('begin at a time, end after so many bytes, and skip what is no log line', async () => {
    const path = await file('c.log', `${line(1, 'one')}garbage\n${line(2, 'two')}${line(3, 'three')}`);
    assert.equal(await read(path, { sinceMs: Date.parse('2026-01-01T00:00:02Z') }), 'two\nthree\n');
    assert.equal(await read(path, { limitBytes: 6 }), 'one\ntw');
  });

  it('read rotated files first, oldest to newest, and take the tail across them', async () => {
    await file('d.log.2', line(1, 'one') + line(2, 'two'));
    await file('d.log.1', line(3, 'three') + line(4, 'four'));
    const path = await file('d.log', line(5, 'five'));
    assert.equal(await read(path), 'one\ntwo\nthree\nfour\nfive\n');
    const tails = ['', 'five\n', 'four\nfive\n', 'three\nfour\nfive\n', 'two\nthree\nfour\nfive\n', 'one\ntwo\nthree\nfour\nfive\n'];
    for (const [tailLines, expected] of tails.entries()) assert.equal(await read(path, { tailLines }), expected, `tail ${tailLines}`);
    assert.equal(await read(path, { tailLines: 99 }), tails.at(-1));
  });

  it('are empty where there is no file', async () => {
    assert.equal(await read(join(directory, 'none.log')), '');
  });

  it('are followed over a rotation to the end of the container', async () => {
    const path = await file('e.log', line(1, 'one'));
    const running = new AbortController();
    const texts: string[] = [];
    const options = { follow: true, timestamps: false, signal: new AbortController().signal };
    const steps = [
      () => appendFile(path, line(2, 'two')),
      async () => {
        await rename(path, `${path}.1`);
        await writeFile(path, line(3, 'three'));
      },
      async () => {
        await appendFile(path, line(4, 'four'));
        running.abort();
      },
    ];
    for await (const part of readLog(path, options, running.signal)) {
      texts.push(part.toString());
      await steps.shift()?.();
    }
    assert.equal(texts.join(''), 'one\ntwo\nthree\nfour\n');
  });

  it('stop being followed when the reader goes away', async () => {
    const path = await file('f.log', line(1, 'one'));
    const reader = new AbortController();
    const options = { follow: true, timestamps: false, signal: reader.signal };
    await assert.rejects(async () => {
      for await (const _part of readLog(path, options, new AbortController().signal)) reader.abort(new Error('gone'));
    }, /gone/);
  });

  it('have a tail for last words', async () => {
    const path = await file('g.log', Array.from({ length: 200 }, (_, index) => line(1, `line ${index}`)).join(''));
    const tail = await logTail(path);
    assert.ok(tail.startsWith('line 120\n') && tail.endsWith('line 199\n'));
  });
});
