import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '#core/errors.ts';
import { flagOption, textOption, type Invocation } from '#cli/command.ts';
import { resolveSettings, runningStatus } from '#cli/platform.ts';
import { upOptions } from '#cli/settings-options.ts';
import { systemdUnit, type Scope } from '#cli/systemd-unit.ts';
import { type Layout, layoutOf } from '#platform/layout.ts';

const unitName = 'dormouse.service';
const startMs = 60_000;

/** `dormouse service install`: options of `up` become the unit's. */
export async function installService(invocation: Invocation): Promise<number> {
  const scope = scopeOf(invocation);
  const { values } = await resolveSettings(invocation);
  const flags = upOptions.flatMap(({ name }) => {
    const value = name === 'data-dir' ? values.dataDir : textOption(invocation, name);
    return value === undefined ? [] : [`--${name}=${value}`];
  });
  // Not the link it was called by: npx makes one in its cache, which is gone when the cache is cleaned.
  const launcher = realpathSync(process.argv[1] ?? '');
  const unit = systemdUnit([process.execPath, launcher, 'up', ...flags], scope);
  if (flagOption(invocation, 'print')) {
    invocation.stdout.write(unit);
    return 0;
  }
  requireSystemd(scope);
  if ((await runningStatus(layoutOf(values.dataDir))) !== undefined) {
    throw new UserError(`a platform is already running on ${values.dataDir}`, {
      hint: 'Run "dormouse down" first; the service starts its own.',
    });
  }
  const file = unitFile(scope, invocation);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, unit, { mode: 0o644 });
  systemctl(scope, 'daemon-reload');
  systemctl(scope, 'enable', '--now', unitName);
  invocation.stdout.write(`Installed ${file}; the platform starts now and with the ${scope === 'system' ? 'machine' : 'first login'}.\n`);
  await waitUntilUp(layoutOf(values.dataDir), scope, invocation);
  if (scope === 'user') invocation.stdout.write('To start it with the machine and keep it after logout: loginctl enable-linger\n');
  return 0;
}

/** systemd calls a service started when its process is; whether the platform came up is only known here. */
async function waitUntilUp(layout: Layout, scope: Scope, { stdout, signal }: Invocation): Promise<void> {
  for (const deadline = performance.now() + startMs; performance.now() < deadline; await delay(200, undefined, { signal })) {
    const status = await runningStatus(layout);
    if (status === undefined || status.processes.length === 0 || status.processes.some(({ state }) => state !== 'ready')) continue;
    stdout.write(`It is up. See "dormouse status"; kubectl with: export KUBECONFIG=${status.kubeconfig}\n`);
    return;
  }
  throw new UserError(`the platform is not up after ${startMs / 1000} s; systemd goes on trying`, { hint: journalHint(scope) });
}

const journalHint = (scope: Scope): string => `See: journalctl ${scope === 'user' ? '--user ' : ''}-u dormouse`;

/** `dormouse service uninstall`. */
export function uninstallService(invocation: Invocation): Promise<number> {
  const scope = scopeOf(invocation);
  const file = unitFile(scope, invocation);
  if (!existsSync(file)) {
    invocation.stdout.write(`There is no ${file}.\n`);
    return Promise.resolve(0);
  }
  requireSystemd(scope);
  systemctl(scope, 'disable', '--now', unitName);
  rmSync(file);
  systemctl(scope, 'daemon-reload');
  invocation.stdout.write(`Removed ${file}. The data stays; "dormouse reset" deletes it.\n`);
  return Promise.resolve(0);
}

function scopeOf(invocation: Invocation): Scope {
  const [user, system] = [flagOption(invocation, 'user'), flagOption(invocation, 'system')];
  if (user && system) throw new UserError('--user and --system cannot be given together');
  if (user || system) return user ? 'user' : 'system';
  return process.getuid?.() === 0 ? 'system' : 'user';
}

function unitFile(scope: Scope, { environment }: Invocation): string {
  if (scope === 'system') return join('/etc/systemd/system', unitName);
  return join(environment['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'systemd', 'user', unitName);
}

/** sd_booted(3): the directory is there exactly when systemd is the init of this machine. */
function requireSystemd(scope: Scope): void {
  if (!existsSync('/run/systemd/system')) {
    throw new UserError('this machine does not run systemd, so there is nothing to install the service into', {
      hint: 'Start the platform from its own init ("dormouse up" stays in the foreground), or see the unit with --print.',
    });
  }
  if (scope === 'system' && process.getuid?.() !== 0)
    throw new UserError('a system service needs root', { hint: 'Use sudo, or give --user.' });
}

function systemctl(scope: Scope, ...words: readonly string[]): void {
  const { status, stderr, error } = spawnSync('systemctl', [...(scope === 'user' ? ['--user'] : []), ...words], { encoding: 'utf8' });
  if (status === 0) return;
  throw new UserError(`systemctl ${words.join(' ')} failed: ${error?.message ?? stderr.trim()}`, {
    hint: journalHint(scope),
  });
}
