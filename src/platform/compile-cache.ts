import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from '#platform/version.ts';

/**
 * From source, once for each state of it: loads every module in a process of its own that then ends, so that the compile cache has
 * them all. A process that has to strip types itself keeps the stripper in memory (about 30 MB) for as long as it lives, and the
 * platform's would all do the same work at the same time. It takes a second or two, so it calls `say` first. Does nothing in a bundle,
 * and where there is no compile cache that this user can write.
 */
export function warmCompileCache(say: () => void): void {
  const directory = process.env['NODE_COMPILE_CACHE'];
  if (!import.meta.url.endsWith('.ts') || directory === undefined || !isWritable(directory)) return;
  const stamp = join(directory, `warm-${version}-${process.version}`);
  if (existsSync(stamp) && statSync(stamp).mtimeMs > newestSourceMs()) return;
  say();
  // When it fails the platform starts all the same, only slower.
  const { status } = spawnSync(process.execPath, [process.argv[1] ?? '', 'load-all'], { stdio: 'ignore' });
  if (status === 0) writeFileSync(stamp, '');
}

/** Another user may have made it, in a checkout that both use. */
function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** When a source file was changed last, or came with a newer version. */
function newestSourceMs(): number {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return Math.max(...files.map((name) => statSync(join(root, name)).mtimeMs));
}
