import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { UserError } from '#core/errors.ts';
import { flagOption, type Invocation } from '#cli/command.ts';
import { layoutFor } from '#cli/platform.ts';

interface Named {
  name: string;
}
type Kubeconfig = Record<string, unknown> & { clusters?: Named[]; users?: Named[]; contexts?: Named[] };

/** `dormouse kubeconfig [--merge]`. */
export async function kubeconfig(invocation: Invocation): Promise<number> {
  const layout = await layoutFor(invocation);
  if (!existsSync(layout.kubeconfig)) {
    throw new UserError(`there is no kubeconfig in ${layout.dataDir} yet`, { hint: 'Start the platform with "dormouse up".' });
  }
  const own = JSON.parse(readFileSync(layout.kubeconfig, 'utf8')) as Kubeconfig;
  if (!flagOption(invocation, 'merge')) {
    invocation.stdout.write(stringify(own));
    return 0;
  }
  const target = (invocation.environment['KUBECONFIG'] ?? '').split(':')[0] || join(homedir(), '.kube', 'config');
  writeFileSync(prepare(target), stringify(merged(readExisting(target), own)), { mode: 0o600 });
  invocation.stdout.write(`Context "dormouse" is now the current one in ${target}.\n`);
  return 0;
}

/** The other file's entries stay; ours replace those of the same name. */
export function merged(existing: Kubeconfig, own: Kubeconfig): Kubeconfig {
  const result: Kubeconfig = { apiVersion: 'v1', kind: 'Config', ...existing };
  for (const list of ['clusters', 'users', 'contexts'] as const) {
    const ours = own[list] ?? [];
    result[list] = [...(existing[list] ?? []).filter(({ name }) => !ours.some((one) => one.name === name)), ...ours];
  }
  return { ...result, 'current-context': own['current-context'] };
}

function readExisting(file: string): Kubeconfig {
  if (!existsSync(file)) return {};
  const content: unknown = parse(readFileSync(file, 'utf8'));
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object') throw new UserError(`${file} is not a kubeconfig`, { hint: 'Nothing was changed.' });
  return content as Kubeconfig;
}

function prepare(file: string): string {
  mkdirSync(dirname(file), { recursive: true });
  return file;
}
