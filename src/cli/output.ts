import type { Writable } from 'node:stream';

/** Columns padded to their widest cell, two blanks apart; the last column is not padded. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell, column) => (column === header.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** Writes a value as JSON or YAML, as kubectl does without the managed fields, which are longer than the rest and for nobody to read. */
export async function printData(stdout: Writable, form: string, value: unknown): Promise<void> {
  const json = JSON.stringify(value, (key, part: unknown) => (key === 'managedFields' ? undefined : part), 2);
  if (form === 'yaml') {
    const { stringify } = await import('yaml');
    stdout.write(stringify(JSON.parse(json)));
  } else stdout.write(`${json}\n`);
}
