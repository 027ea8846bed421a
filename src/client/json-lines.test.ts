import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readJsonLines } from '#client/json-lines.ts';

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncIterable<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]) {
    yield await Promise.resolve(bytes.subarray(from, cut));
    from = cut;
  }
}

async function all(chunks: AsyncIterable<Uint8Array>, limit = 1000): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of readJsonLines(chunks, limit)) values.push(value);
  return values;
}

describe('readJsonLines', () => {
  it('finds the same values wherever the stream is cut, also inside a character', async () => {
    const values = fc.array(fc.jsonValue(), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(values, fc.array(fc.nat(), { maxLength: 8 }), async (expected, cuts) => {
        const bytes = Buffer.from(expected.map((value) => `${JSON.stringify(value)}\n`).join(''));
        assert.deepEqual(await all(inPieces(bytes, cuts), 1_000_000), JSON.parse(JSON.stringify(expected)));
      }),
    );
  });

  it('drops an unfinished last line', async () => {
    assert.deepEqual(await all(inPieces(Buffer.from('{"a":1}\n{"a":'), [])), [{ a: 1 }]);
  });

  it('refuses endless and malformed lines', async () => {
    await assert.rejects(all(inPieces(Buffer.alloc(3000, 'x'), [1000, 2000])), /longer than 1000/);
    await assert.rejects(all(inPieces(Buffer.from('nonsense\n'), [])), /not JSON/);
  });
});
