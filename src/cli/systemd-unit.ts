export type Scope = 'system' | 'user';

/** The systemd unit of a platform started by `command`. Stopping it signals the supervisor alone, which ends its processes in order. */
export function systemdUnit(command: readonly string[], scope: Scope): string {
  return [
    '[Unit]',
    'Description=Dormouse serverless container platform',
    ...(scope === 'system' ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    '',
    '[Service]',
    `ExecStart=${command.map(quoteWord).join(' ')}`,
    'KillMode=mixed',
    'TimeoutStopSec=120',
    'Restart=on-failure',
    'RestartSec=2',
    // Its own subtree of control groups: containers get theirs below it.
    'Delegate=yes',
    ...(scope === 'system' ? ['LimitNOFILE=1048576', 'TasksMax=infinity'] : []),
    '',
    '[Install]',
    `WantedBy=${scope === 'system' ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n');
}

/** One word of ExecStart (systemd.service(5), "Command lines"): `%` and `$` are systemd's own, quotes and backslashes are escaped. */
function quoteWord(word: string): string {
  const escaped = word
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')
    .replaceAll('\n', '\\n');
  return /^[\w./:=@,+-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}
