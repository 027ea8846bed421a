import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '#platform/layout.ts';

/** The secret with which the platform's own parts and its CLI manage images; made on first use, readable by the owner alone. */
export function imageToken({ pkiDir }: Layout): string {
  const file = join(pkiDir, 'images.token');
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' });
  return readFileSync(file, 'utf8').trim();
}
