/** One line of a container log in CRI format: `2026-01-02T03:04:05.123456789Z stdout F text`. */
export interface CriLine {
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  /** False for a piece (`P`) of a line that goes on in the next entry. */
  readonly complete: boolean;
  readonly content: Buffer;
}

const space = 0x20;

/** Parses one line (without its newline); undefined when it is not in CRI format. */
export function parseCriLine(line: Buffer): CriLine | undefined {
  const first = line.indexOf(space);
  const second = first < 0 ? -1 : line.indexOf(space, first + 1);
  if (second < 0) return undefined;
  const third = line.indexOf(space, second + 1);
  const tagEnd = third < 0 ? line.length : third;
  const stream = line.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tag = line.toString('latin1', second + 1, tagEnd).split(':')[0];
  if (tag !== 'F' && tag !== 'P') return undefined;
  return {
    timestamp: line.toString('latin1', 0, first),
    stream,
    complete: tag === 'F',
    content: third < 0 ? Buffer.alloc(0) : line.subarray(third + 1),
  };
}
