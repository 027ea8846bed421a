import { lazy, type Command, type Option } from '#cli/command.ts';
import { upOptions } from '#cli/settings-options.ts';

const scopeOptions: readonly Option[] = [
  { name: 'user', type: 'boolean', summary: 'Service of this user (default unless root)' },
  { name: 'system', type: 'boolean', summary: 'Service of the machine (default for root)' },
];

/** `dormouse service`: the platform as a systemd service. */
export const serviceCommand: Command = {
  name: 'service',
  summary: 'Start the platform with the machine (systemd)',
  commands: [
    {
      name: 'install',
      summary: 'Install, enable and start the systemd unit',
      options: [...scopeOptions, { name: 'print', type: 'boolean', summary: 'Only print the unit' }, ...upOptions],
      examples: ['sudo dormouse service install --listen 0.0.0.0', 'dormouse service install --user --print'],
      run: lazy(async () => (await import('#cli/commands/service.ts')).installService),
    },
    {
      name: 'uninstall',
      summary: 'Stop, disable and remove the systemd unit; data stays',
      options: scopeOptions,
      run: lazy(async () => (await import('#cli/commands/service.ts')).uninstallService),
    },
  ],
};
