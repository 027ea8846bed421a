import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Libraries that the C library loads by name at run time, without any program listing them. */
const loadedByName = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];

/** Absolute paths of everything a program needs to start: its dynamic loader and shared libraries. Empty for a static program. */
export async function sharedLibraries(program: string): Promise<readonly string[]> {
  const loader = await dynamicLoader(program);
  if (loader === undefined) return [];
  const name = loader.slice(loader.lastIndexOf('/') + 1);
  // The loader itself tells what it would load; musl's does when called with the name ldd has there.
  const { stdout } = await run(loader, ['--list', program], { env: {} });
  const found = new Set<string>([loader]);
  for (const line of stdout.split('\n')) {
    const path = /^\s*(?:\S+ => )?(\/\S+) \(0x/.exec(line)?.[1];
    if (path !== undefined && !path.endsWith(`/${name}`)) found.add(path);
    if (line.includes('=> not found')) throw new Error(`${program} needs ${line.trim().split(' ')[0]}, which is not on this machine`);
  }
  const libc = [...found].find((path) => /\/libc\.so\.\d+$/.test(path));
  if (libc !== undefined)
    for (const extra of loadedByName) if (existsSync(join(dirname(libc), extra))) found.add(join(dirname(libc), extra));
  return [...found].sort();
}

/** PT_INTERP of a 64-bit little-endian ELF file; undefined for static programs and scripts. */
async function dynamicLoader(program: string): Promise<string | undefined> {
  const file = await open(program, 'r');
  try {
    const header = Buffer.alloc(64);
    await file.read(header, 0, 64, 0);
    if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return undefined;
    const entrySize = header.readUInt16LE(54);
    const count = header.readUInt16LE(56);
    const table = Buffer.alloc(entrySize * count);
    await file.read(table, 0, table.length, Number(header.readBigUInt64LE(32)));
    for (let index = 0; index < count; index += 1) {
      const at = index * entrySize;
      if (table.readUInt32LE(at) !== 3) continue;
      const text = Buffer.alloc(Number(table.readBigUInt64LE(at + 32)));
      await file.read(text, 0, text.length, Number(table.readBigUInt64LE(at + 8)));
      return text.toString('utf8').replace(/\0.*$/s, '');
    }
    return undefined;
  } finally {
    await file.close();
  }
}
