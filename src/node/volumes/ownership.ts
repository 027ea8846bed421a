import { chmod, chown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const setGroupId = 0o2000;
const groupMay = { file: 0o660, directory: 0o770 } as const;

/**
 * Gives a volume's files to the pod's group, as a kubelet does: everything in it, or with `OnRootMismatch` nothing where the top has the group
 * already. Where this user may not (one id is mapped), the files stay whose they are, and that is everybody.
 */
export async function giveToGroup(path: string, gid: number, policy: string | undefined): Promise<void> {
  const top = await lstat(path);
  const isGiven = top.gid === gid && (top.mode & setGroupId) !== 0;
  if (isGiven && policy === 'OnRootMismatch') return;
  if (await tryToGive(path, top.uid, gid)) await give(path, gid);
}

/** Changes owner and group; false where this user may not. */
export async function tryToGive(path: string, uid: number, gid: number): Promise<boolean> {
  try {
    await chown(path, uid, gid);
    return true;
  } catch (error) {
    // EINVAL: the group does not exist in this user namespace.
    if (['EINVAL', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

async function give(path: string, gid: number): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  await chown(path, found.uid, gid);
  const mode = found.mode & 0o7777;
  if (!found.isDirectory()) return chmod(path, mode | groupMay.file);
  for (const name of await readdir(path)) await give(join(path, name), gid);
  await chmod(path, mode | groupMay.directory | setGroupId);
}
