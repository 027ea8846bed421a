import { notUnderstood } from '#client/errors.ts';

/**
 * The JSON values of a newline-delimited stream, however it is cut into chunks. A line beyond `maxLineBytes` or that is no JSON
 * ends it with an error; an unfinished last line is what a broken connection leaves, and is dropped.
 */
export async function* readJsonLines(chunks: AsyncIterable<Uint8Array>, maxLineBytes: number): AsyncIterable<unknown> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = chunk.subarray(start, end);
      start = end + 1;
      const text = pending.length === 0 ? decode(line) : decode(Buffer.concat([...pending, line]));
      pending = [];
      pendingBytes = 0;
      if (text.trim() !== '') yield parse(text);
    }
    if (start === chunk.length) continue;
    pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > maxLineBytes) throw notUnderstood('stream', `a line is longer than ${maxLineBytes} bytes`);
  }
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notUnderstood('stream', 'a line is not JSON', error);
  }
}
