import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** The first range of a user in /etc/subuid or /etc/subgid (subuid(5)). */
export function parseSubordinateIds(text: string, user: string, uid: number): IdRange | undefined {
  for (const line of text.split('\n')) {
    const [owner, first, count] = line.trim().split(':');
    if (owner !== user && owner !== String(uid)) continue;
    const range = { first: Number(first), count: Number(count) };
    if (Number.isInteger(range.first) && range.count > 0) return range;
  }
  return undefined;
}

/** Ranges of ids the system has given the user who runs this process, if the commands that map them are installed. */
export function ownSubordinateIds(): { readonly uids: IdRange; readonly gids: IdRange } | undefined {
  if (!installed('newuidmap') || !installed('newgidmap')) return undefined;
  const [user, uid] = [userName(), process.getuid?.() ?? 0];
  const uids = rangeIn('/etc/subuid', user, uid);
  const gids = rangeIn('/etc/subgid', user, uid);
  return uids === undefined || gids === undefined ? undefined : { uids, gids };
}

/** Of who runs this process; '' for an id without an entry in the user database. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

function rangeIn(file: string, user: string, uid: number): IdRange | undefined {
  return existsSync(file) ? parseSubordinateIds(readFileSync(file, 'utf8'), user, uid) : undefined;
}

function installed(name: string): boolean {
  return ['/usr/bin', '/bin', '/usr/local/bin'].some((directory) => {
    try {
      accessSync(`${directory}/${name}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
