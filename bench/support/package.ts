import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Packs the checkout and installs the tarball into `prefix`, as `npm install --global` does for a user. */
export function installPackage(prefix: string): { readonly tarball: string; readonly program: string } {
  const [tarball = ''] = run('npm', ['run', '--silent', 'package']).trim().split(' ');
  run('npm', ['install', '--silent', '--global', '--no-audit', '--no-fund', '--prefix', prefix, `./${tarball}`]);
  return { tarball, program: join(prefix, 'bin', 'dormouse') };
}

/** Runs a program that has to succeed; its output. */
export function run(command: string, words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
  return stdout;
}
