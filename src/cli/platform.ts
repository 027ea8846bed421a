import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { resolveConfig, type Resolved } from '#core/config.ts';
import { UserError } from '#core/errors.ts';
import { textOption, type Invocation } from '#cli/command.ts';
import { layoutOf, type Layout } from '#platform/layout.ts';
import { settings } from '#platform/settings.ts';
import { ask } from '#platform/supervisor/socket.ts';
import type { PlatformStatus } from '#platform/supervisor/supervisor.ts';

/** The settings of this invocation: flags, environment, `config.yaml` in the data directory, defaults. */
export async function resolveSettings({ options, environment }: Invocation): Promise<Resolved<typeof settings>> {
  const { dataDir } = resolveConfig({ dataDir: settings.dataDir }, { flags: options, environment, file: {} }).values;
  return resolveConfig(settings, { flags: options, environment, file: await readConfigFile(layoutOf(dataDir).configFile) });
}

export async function layoutFor(invocation: Invocation): Promise<Layout> {
  const { options, environment } = invocation;
  return layoutOf(resolveConfig({ dataDir: settings.dataDir }, { flags: options, environment, file: {} }).values.dataDir);
}

/** The status of the running platform, or undefined. */
export async function runningStatus(layout: Layout): Promise<PlatformStatus | undefined> {
  return (await ask(layout.supervisorSocket, { command: 'status' })) as PlatformStatus | undefined;
}

/** The status of the running platform; a UserError that says how to start one otherwise. */
export async function requireRunning(layout: Layout): Promise<PlatformStatus> {
  const status = await runningStatus(layout);
  if (status === undefined) {
    throw new UserError(`no platform is running on ${layout.dataDir}`, { hint: 'Start one with "dormouse up" (or "npm start").' });
  }
  return status;
}

/** How another command is typed from where this one was: from a checkout through npx, from an installed package by its name; on the same data. */
export function typed(invocation: Pick<Invocation, 'options'>, words: string): string {
  const dataDir = textOption(invocation, 'data-dir');
  const program = import.meta.url.endsWith('.ts') ? 'npx dormouse' : 'dormouse';
  return `${program} ${words}${dataDir === undefined ? '' : ` --data-dir=${resolve(dataDir)}`}`;
}

async function readConfigFile(file: string): Promise<Record<string, unknown>> {
  if (!existsSync(file)) return {};
  const { parse } = await import('yaml');
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UserError(`${file} is not valid YAML: ${(error as Error).message}`);
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content)) throw new UserError(`${file} must hold settings as "key: value" lines`);
  return content as Record<string, unknown>;
}
