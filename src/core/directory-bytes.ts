import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The disk space that a directory and all in it takes; 0 for one that does not exist. What vanishes meanwhile does not count. */
export async function directoryBytes(directory: string): Promise<number> {
  let total = 0;
  const rest = [directory];
  for (let path = rest.pop(); path !== undefined; path = rest.pop()) {
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) continue;
    total += found.blocks * 512;
    if (!found.isDirectory()) continue;
    for (const name of await readdir(path).catch(() => [])) rest.push(join(path, name));
  }
  return total;
}
