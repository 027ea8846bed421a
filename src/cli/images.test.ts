import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { progressPrinter } from '#cli/images.ts';
import { Sink } from '#cli/testing.ts';
import type { ImageProgress } from '#images/remote.ts';

const layer = (name: string, state: 'downloading' | 'done' | 'exists', currentBytes: number): ImageProgress => ({
  type: 'layer',
  digest: `sha256:${name.repeat(64)}`,
  state,
  currentBytes,
  totalBytes: 5_000_000,
});

const steps: readonly ImageProgress[] = [
  { type: 'status', message: 'x: sha256:…' },
  layer('a', 'downloading', 1_000_000),
  layer('b', 'downloading', 2_500_000),
  layer('b', 'done', 5_000_000),
  layer('c', 'exists', 5_000_000),
  layer('a', 'done', 5_000_000),
  { type: 'done', name: 'x', digest: 'sha256:', sizeBytes: 1 },
];

describe('progress of an image', () => {
  test('is a line a layer', () => {
    const stdout = new Sink();
    steps.forEach(progressPrinter({ stdout }, '  '));
    const lines = ['x: sha256:…', 'bbbbbbbbbbbb  done  5.0 MB', 'cccccccccccc  already there  5.0 MB', 'aaaaaaaaaaaa  done  5.0 MB'];
    assert.equal(stdout.text, lines.map((line) => `  ${line}\n`).join(''));
  });

  test('on a terminal ends in a line that says how much has come, which is gone at the end', () => {
    const stdout = Object.assign(new Sink(), { isTTY: true });
    steps.forEach(progressPrinter({ stdout }));
    const clear = '\r\x1b[K';
    const shown = stdout.text.split(clear).map((part) => part.trimEnd());
    assert.ok(shown.includes('2 layers  3.5 MB of 10.0 MB'), stdout.text);
    assert.ok(shown.includes('1 layer  1.0 MB of 5.0 MB'), stdout.text);
    assert.ok(stdout.text.endsWith(clear));
  });
});
