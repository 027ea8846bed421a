import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '#platform/version.ts';

/**
 * From source, once: loads every module in a process of its own that then ends, so that the compile cache has them all. A process
 * that has to strip types itself keeps the stripper in memory (about 30 MB) for as long as it lives, and the platform's would all do
 * the same work at the same time. Does nothing in a bundle, and where there is no compile cache.
 */
export function warmCompileCache(): void {
  const directory = process.env['NODE_COMPILE_CACHE'];
  if (!import.meta.url.endsWith('.ts') || directory === undefined || !existsSync(directory)) return;
  const stamp = join(directory, `warm-${version}-${process.version}`);
  if (existsSync(stamp)) return;
  // When it fails the platform starts all the same, only slower.
  const { status } = spawnSync(process.execPath, [process.argv[1] ?? '', 'load-all'], { stdio: 'ignore' });
  if (status === 0) writeFileSync(stamp, '');
}
