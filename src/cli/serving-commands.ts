import { lazy, type Command, type Option } from '#cli/command.ts';
import { dataDirOption } from '#cli/settings-options.ts';

const namespaceOption: Option = {
  name: 'namespace',
  short: 'n',
  type: 'string',
  placeholder: 'NAME',
  summary: 'Namespace',
  default: 'default',
};
export const outputOption: Option = {
  name: 'output',
  short: 'o',
  type: 'string',
  choices: ['table', 'json', 'yaml'],
  default: 'table',
  summary: 'Form of the output',
};
const shared = [namespaceOption, dataDirOption];
const service = { name: 'service', summary: 'Name of the service' };

/** What `deploy` is told about the service, with -f nothing of it. */
export const deployOptions: readonly Option[] = [
  { name: 'image', type: 'string', placeholder: 'IMAGE', summary: 'Deploy this image' },
  { name: 'source', type: 'string', placeholder: 'DIR', summary: 'Build and deploy this directory' },
  { name: 'file', short: 'f', type: 'string', placeholder: 'FILE', summary: 'Deploy the services of this manifest (- for standard input)' },
  { name: 'name', type: 'string', placeholder: 'NAME', summary: 'Name of the service (default: after the image or directory)' },
  { name: 'env', short: 'e', type: 'string', multiple: true, placeholder: 'KEY=VALUE', summary: 'Environment variable; may be repeated' },
  { name: 'port', type: 'string', placeholder: 'PORT', summary: 'Port the program listens on (default 8080, given as $PORT)' },
  { name: 'concurrency', type: 'string', placeholder: 'N', summary: 'Most requests one instance gets at a time (0: no limit)' },
  { name: 'min', type: 'string', placeholder: 'N', summary: 'Fewest instances (default 0: sleeps when nobody calls)' },
  { name: 'max', type: 'string', placeholder: 'N', summary: 'Most instances (default: no limit)' },
  { name: 'memory', type: 'string', placeholder: 'AMOUNT', summary: 'Memory limit, for example 256Mi' },
  { name: 'cpu', type: 'string', placeholder: 'AMOUNT', summary: 'CPU limit, for example 500m' },
  { name: 'tag', type: 'string', placeholder: 'TAG', summary: 'Give the new revision a URL of its own' },
  { name: 'no-traffic', type: 'boolean', summary: 'Leave the traffic where it is' },
];

/** Services and revisions, as a user of Cloud Run would type them. */
export const servingCommands: readonly Command[] = [
  {
    name: 'deploy',
    summary: 'Deploy an image, a source directory or a manifest, and wait for its URL',
    options: [...deployOptions, outputOption, ...shared],
    examples: [
      'dormouse deploy --source . --name hello',
      'dormouse deploy --image gcr.io/knative-samples/helloworld-nodejs --env TARGET=world',
      'dormouse deploy --source . --name hello --no-traffic --tag candidate',
    ],
    run: lazy(async () => (await import('#cli/commands/deploy.ts')).deploy),
  },
  {
    name: 'services',
    aliases: ['ls'],
    summary: 'List services',
    options: [{ name: 'all-namespaces', short: 'A', type: 'boolean', summary: 'Of all namespaces' }, outputOption, ...shared],
    run: lazy(async () => (await import('#cli/commands/services.ts')).listServices),
  },
  {
    name: 'revisions',
    summary: 'List revisions, newest first, with their share of the traffic',
    positionals: [{ ...service, optional: true }],
    options: [outputOption, ...shared],
    run: lazy(async () => (await import('#cli/commands/services.ts')).listRevisions),
  },
  {
    name: 'traffic',
    summary: 'Show or change how the traffic of a service is shared',
    positionals: [service, { name: 'share', summary: 'REVISION=PERCENT; @latest follows the newest ready revision', rest: true }],
    options: [outputOption, ...shared],
    examples: ['dormouse traffic hello', 'dormouse traffic hello hello-00001=90 @latest=10'],
    run: lazy(async () => (await import('#cli/commands/services.ts')).setTraffic),
  },
  {
    name: 'logs',
    summary: "Print the logs of a service's instances",
    positionals: [service],
    options: [
      { name: 'follow', short: 'f', type: 'boolean', summary: 'Go on as lines come' },
      { name: 'tail', type: 'string', placeholder: 'N', summary: 'Lines to begin with', default: '100' },
      ...shared,
    ],
    run: lazy(async () => (await import('#cli/commands/logs.ts')).serviceLogs),
  },
  {
    name: 'open',
    summary: 'Print the URL of a service and open it in a browser',
    positionals: [service],
    options: [{ name: 'url-only', type: 'boolean', summary: 'Only print it' }, ...shared],
    run: lazy(async () => (await import('#cli/commands/open.ts')).openService),
  },
  {
    name: 'top',
    summary: 'Watch services: pods, requests a second, running and waiting requests, cold starts',
    description:
      'Redrawn every second on a terminal until Ctrl-C; printed once with --once, as JSON or YAML, and where the output is no terminal.',
    options: [
      { name: 'once', type: 'boolean', summary: 'Print once, after one second of measuring' },
      { name: 'namespace', short: 'n', type: 'string', placeholder: 'NAME', summary: 'Only of this namespace (default: all)' },
      outputOption,
      dataDirOption,
    ],
    examples: ['dormouse top', 'dormouse top --once -o json'],
    run: lazy(async () => (await import('#cli/commands/top.ts')).top),
  },
  {
    name: 'delete',
    summary: 'Delete services',
    positionals: [service, { name: 'more', summary: 'More of them', rest: true }],
    options: shared,
    run: lazy(async () => (await import('#cli/commands/services.ts')).deleteServices),
  },
];
