import { spawnSync } from 'node:child_process';

/** An id without a name. */
export const ordinaryUser = 54_322;

/** For `{ skip }` of what root runs as an ordinary user: false, or why that is not possible or not needed. */
export function withoutOrdinaryUser(): string | false {
  if (process.getuid?.() !== 0) return 'the tests are run by an ordinary user anyway';
  const tried = spawnSync('setpriv', [`--reuid=${ordinaryUser}`, `--regid=${ordinaryUser}`, '--clear-groups', 'unshare', '--user', 'true']);
  return tried.status === 0 ? false : 'an ordinary user may not make user namespaces here (or setpriv is missing)';
}
