import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

/**
 * The host path of `subPath` inside a volume, made as a directory with the volume's own permissions where there is nothing yet. Links a container has planted
 * in the volume cannot lead out of it: the real path is what gets bound, and it must be inside.
 */
export async function resolveSubPath(volume: string, subPath: string): Promise<string> {
  if (subPath.startsWith('/') || subPath.split('/').includes('..')) throw new Error(`subPath "${subPath}" must stay inside the volume`);
  const root = await realpath(volume);
  const path = join(root, subPath);
  const inside = (real: string) => real === root || real.startsWith(root + sep);
  if ((await stat(path).catch(() => undefined)) === undefined) {
    // Made step by step, so that no link on the way is followed to the outside.
    const { mode } = await stat(root);
    let at = root;
    for (const part of subPath.split('/').filter((one) => one !== '' && one !== '.')) {
      at = join(at, part);
      const made = await mkdir(at).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error;
          return false;
        },
      );
      at = await realpath(at);
      if (!inside(at)) throw new Error(`subPath "${subPath}" leads out of the volume`);
      if (made) await chmod(at, mode & 0o7777);
    }
    return at;
  }
  const real = await realpath(path);
  if (!inside(real)) throw new Error(`subPath "${subPath}" leads out of the volume`);
  return real;
}
