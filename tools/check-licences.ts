import { existsSync, readFileSync } from 'node:fs';

const permissive = new Set([
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'BlueOak-1.0.0',
  'Unlicense',
  'CC0-1.0',
  'Python-2.0',
]);

interface LockedPackage {
  dev?: boolean;
  license?: string;
  hasInstallScript?: boolean;
}

/** Every package that ships with the program has a permissive licence and needs no install script. */
export function checkLicences(): string[] {
  const problems: string[] = [];
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockedPackage> };
  for (const [path, locked] of Object.entries(lock.packages)) {
    if (path === '' || locked.dev === true) continue;
    const licence = locked.license ?? installedLicence(path);
    if (!permissive.has(licence)) problems.push(`${path}: licence ${licence === '' ? 'unknown' : licence}`);
    if (locked.hasInstallScript === true) problems.push(`${path}: has an install script`);
  }
  return problems;
}

function installedLicence(path: string): string {
  const file = `${path}/package.json`;
  if (!existsSync(file)) return '';
  return (JSON.parse(readFileSync(file, 'utf8')) as { license?: string }).license ?? '';
}
