import { delimiter } from 'node:path';

const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * A PATH with the system's directories at its end. `nft` and `runc` are installed there, and Debian leaves them out of an
 * ordinary user's PATH although these programs work for such a user inside a namespace of its own.
 */
export function withSystemDirectories(path = ''): string {
  const directories = path.split(delimiter).filter((directory) => directory !== '');
  return [...directories, ...systemDirectories.filter((directory) => !directories.includes(directory))].join(delimiter);
}
