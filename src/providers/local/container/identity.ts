import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerSpec } from '#apis/runtime/engine.ts';
import type { Identity } from '#providers/local/container/privileges.ts';

/** The user an image or a pod names does not exist in the image. */
class UnknownUserError extends Error {
  constructor(what: string) {
    super(`unable to find ${what}: no matching entries in the image's passwd or group file`);
    this.name = 'UnknownUserError';
  }
}

/**
 * The ids a container runs with. The pod's uid and gid win over the image's; names are looked up in the image's /etc/passwd and /etc/group; a uid known
 * there brings its group, supplementary groups and home directory.
 */
export function resolveIdentity(user: ContainerSpec['user'], layers: readonly string[]): Identity & { readonly home: string } {
  const passwd = parse(readImageFile(layers, 'etc/passwd'));
  const group = parse(readImageFile(layers, 'etc/group'));
  const [imageUser = '', imageGroup = ''] = user.fromImage.split(':');
  const wanted = user.uid === undefined ? imageUser : String(user.uid);
  const entry = passwd.find((fields) => fields[2] === wanted) ?? passwd.find((fields) => fields[0] === wanted && wanted !== '');
  const uid = wanted === '' ? 0 : (numeric(wanted) ?? numeric(entry?.[2]));
  if (uid === undefined) throw new UnknownUserError(`user ${wanted}`);
  const known = entry ?? passwd.find((fields) => fields[2] === String(uid));
  const fromImage = user.uid === undefined ? imageGroup : '';
  const gid = user.gid ?? groupId(fromImage, group) ?? numeric(known?.[3]) ?? 0;
  const listed =
    known === undefined ? [] : group.filter((fields) => fields[3]?.split(',').includes(known[0] ?? '')).map((fields) => Number(fields[2]));
  const groups = [...new Set([gid, ...listed, ...user.supplementalGroups])];
  return { uid, gid, groups, home: known?.[5] === undefined || known[5] === '' ? (uid === 0 ? '/root' : '/') : known[5] };
}

function groupId(name: string, group: readonly (readonly string[])[]): number | undefined {
  if (name === '') return undefined;
  const id = numeric(name) ?? numeric(group.find((fields) => fields[0] === name)?.[2]);
  if (id === undefined) throw new UnknownUserError(`group ${name}`);
  return id;
}

function numeric(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function parse(text: string): readonly (readonly string[])[] {
  return text.split('\n').map((line) => line.split(':'));
}

/** A regular file of an image, found as overlayfs would: topmost layer first, hidden by a whiteout; '' when there is none. */
function readImageFile(layers: readonly string[], path: string): string {
  for (const layer of layers) {
    const file = join(layer, path);
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) continue;
    return found.isFile() && found.size < 4 * 2 ** 20 ? readFileSync(file, 'utf8') : '';
  }
  return '';
}
