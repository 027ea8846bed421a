import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Mounts a tmpfs at `path`, unless one is there already. Needs the right to mount; throws when that is missing. */
export async function mountMemory(path: string, sizeBytes: number | undefined): Promise<void> {
  if ((await mountsUnder(path)).includes(path)) return;
  const size = sizeBytes === undefined ? '' : `,size=${sizeBytes}`;
  await run('mount', ['-t', 'tmpfs', '-o', `mode=1777,nosuid,nodev${size}`, 'tmpfs', path]);
}

/** Unmounts everything at or below `path`; deepest first. */
export async function unmountUnder(path: string): Promise<void> {
  for (const mount of (await mountsUnder(path)).toReversed()) await run('umount', ['-l', mount]);
}

async function mountsUnder(path: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const points = table.split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, unescapeOctal));
  return points.filter((point) => point === path || point.startsWith(`${path}/`));
}

function unescapeOctal(_whole: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8));
}
