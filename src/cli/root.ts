import { lazy, type Command } from '#cli/command.ts';
import { imageCommands } from '#cli/image-commands.ts';
import { outputOption, servingCommands } from '#cli/serving-commands.ts';
import { serviceCommand } from '#cli/service-commands.ts';
import { dataDirOption, logLevelOption, upOptions } from '#cli/settings-options.ts';

/** Every command. A command's code is loaded when it runs, so that each costs only itself. */
export const rootCommand: Command = {
  name: 'dormouse',
  summary: 'A serverless container platform: give it an image or source, it gives you a URL.',
  commands: [
    {
      name: 'up',
      summary: 'Start the platform',
      description: 'Starts the platform and stays in the foreground; Ctrl-C stops it. Safe to run where it ran before: nothing is lost.',
      options: [
        ...upOptions,
        { name: 'detach', short: 'd', type: 'boolean', summary: 'Return when it is ready; it goes on in the background' },
      ],
      examples: ['dormouse up', 'dormouse up --detach --http-port 8080', 'dormouse up --domain example.com'],
      run: lazy(async () => (await import('#cli/commands/up.ts')).up),
    },
    {
      name: 'down',
      summary: 'Stop the platform and its containers; data stays',
      options: [dataDirOption],
      run: lazy(async () => (await import('#cli/commands/down.ts')).down),
    },
    {
      name: 'status',
      summary: 'Show what runs, where it listens and what isolation this machine gives',
      options: [dataDirOption, outputOption],
      run: lazy(async () => (await import('#cli/commands/status.ts')).status),
    },
    {
      name: 'quickstart',
      summary: 'Start the platform, build and deploy hello world, and call it',
      options: upOptions,
      run: lazy(async () => (await import('#cli/commands/quickstart.ts')).quickstart),
    },
    ...servingCommands,
    ...imageCommands,
    {
      name: 'doctor',
      summary: 'Check what this machine can do, and say what to do about what it cannot',
      options: [outputOption, ...upOptions],
      run: lazy(async () => (await import('#cli/commands/doctor.ts')).doctor),
    },
    {
      name: 'controllers',
      summary: "Run Knative's controllers and autoscaler in a process of their own, against any cluster's API",
      description:
        'For a platform started with --knative-controllers=off, or a Kubernetes cluster that has the kinds. Several may run: one leads, ' +
        'another takes over. They need nothing but the API. In a pod without a kubeconfig its service account is used.',
      options: [
        {
          name: 'kubeconfig',
          type: 'string',
          placeholder: 'FILE',
          summary: 'How to reach the API; default $KUBECONFIG, then ~/.kube/config',
        },
        { name: 'context', type: 'string', placeholder: 'NAME', summary: 'Context of the kubeconfig instead of its current one' },
        {
          name: 'metrics-address',
          type: 'string',
          placeholder: '[HOST:]PORT',
          summary: 'Serve /metrics and /healthz there; HOST is 127.0.0.1 unless it is given',
        },
        logLevelOption,
      ],
      examples: ['dormouse controllers --kubeconfig controllers.kubeconfig'],
      run: lazy(async () => (await import('#cli/commands/controllers.ts')).controllers),
    },
    {
      name: 'kubeconfig',
      summary: "Print the admin's kubeconfig",
      options: [
        dataDirOption,
        { name: 'merge', type: 'boolean', summary: 'Put it into ~/.kube/config (or $KUBECONFIG) as context "dormouse" instead' },
      ],
      examples: ['export KUBECONFIG=$(mktemp) && dormouse kubeconfig > $KUBECONFIG', 'dormouse kubeconfig --merge'],
      run: lazy(async () => (await import('#cli/commands/kubeconfig.ts')).kubeconfig),
    },
    {
      name: 'restart-gateway',
      summary: 'Replace the gateway process without losing a connection',
      options: [dataDirOption],
      run: lazy(async () => (await import('#cli/commands/restart-gateway.ts')).restartGateway),
    },
    {
      name: 'reset',
      summary: 'Stop the platform and delete all of its data',
      options: [dataDirOption, { name: 'yes', short: 'y', type: 'boolean', summary: 'Do not ask' }],
      run: lazy(async () => (await import('#cli/commands/reset.ts')).reset),
    },
    {
      name: 'backup',
      summary: 'Write the data into one file, also while the platform runs',
      description: 'Writes database, keys and configuration into a tar archive (mode 0600) that "dormouse restore" reads.',
      positionals: [{ name: 'file', summary: 'Archive to write; must not exist' }],
      options: [{ name: 'images', type: 'boolean', summary: 'Also the image store; the platform must be stopped' }, dataDirOption],
      examples: ['dormouse backup dormouse.tar'],
      run: lazy(async () => (await import('#cli/commands/backup.ts')).backup),
    },
    {
      name: 'restore',
      summary: 'Restore a backup into a data directory that is missing or reset',
      positionals: [{ name: 'file', summary: 'Archive that "dormouse backup" wrote' }],
      options: [dataDirOption],
      examples: ['dormouse reset --yes && dormouse restore dormouse.tar && dormouse up'],
      run: lazy(async () => (await import('#cli/commands/backup.ts')).restore),
    },
    serviceCommand,
    {
      name: 'config',
      summary: 'Look at the configuration',
      commands: [
        {
          name: 'show',
          summary: 'Print every setting',
          options: [...upOptions, { name: 'origin', type: 'boolean', summary: 'Also where each value comes from' }],
          run: lazy(async () => (await import('#cli/commands/config-show.ts')).configShow),
        },
      ],
    },
    {
      name: 'completion',
      summary: 'Print a completion script for a shell',
      positionals: [{ name: 'shell', summary: 'bash, zsh or fish' }],
      examples: ['source <(dormouse completion bash)', 'source <(dormouse completion zsh)', 'dormouse completion fish | source'],
      run: lazy(async () => (await import('#cli/commands/completion.ts')).completion),
    },
    {
      name: 'load-all',
      hidden: true,
      summary: 'Load every module, so that the compile cache has them',
      run: lazy(async () => (await import('#cli/commands/load-all.ts')).loadAll),
    },
    {
      name: 'version',
      aliases: ['--version', '-V'],
      summary: 'Print the version',
      run: lazy(async () => (await import('#cli/commands/version.ts')).printVersion),
    },
  ],
};
