import { idleAnnotation, frozenRetentionAnnotation } from '#apis/dormouse/names.ts';
import { annotations } from '#apis/serving/names.ts';
import { autoscalingPrefix } from '#apis/serving/validation/annotations.ts';
import { apiFailures } from '#apiserver/errors.ts';
import { apiServerMetrics } from '#apiserver/metrics.ts';
import { controllerMetrics } from '#controller/metrics.ts';
import type { Setting } from '#core/config.ts';
import { noMetrics, type Metrics } from '#core/metrics.ts';
import { answers } from '#gateway/errors.ts';
import { imageFaults } from '#images/errors.ts';
import type { Command, Option, Positional } from '#cli/command.ts';
import { usage } from '#cli/help.ts';
import { knativeConfiguration } from '#cli/knative-configuration.ts';
import { rootCommand } from '#cli/root.ts';
import { settings } from '#platform/settings.ts';

/** The pages of docs/reference that are written from tables of the code, by file name. `npm run docs` writes them. */
export function referencePages(): Readonly<Record<string, string>> {
  return {
    'cli.md': cliPage(rootCommand),
    'configuration.md': configurationPage(),
    'annotations.md': annotationsPage(),
    'errors.md': errorsPage(),
    'gateway-answers.md': answersPage(),
    'metrics.md': metricsPage(),
    'knative-configuration.md': knativeConfigurationPage(),
  };
}

const generated = 'Generated from the code: `npm run docs`.';

function page(title: string, ...parts: readonly string[]): string {
  return `# ${title}\n\n${[generated, ...parts].join('\n\n')}\n`;
}

function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n');
}

/** Every command with its arguments, options and examples. */
function cliPage(root: Command): string {
  return page(
    'Command line',
    'Exit codes: 0 done; 1 a mistake in what was typed or a refusal, with the reason and what to do; 70 a fault of the program; 130 interrupted.',
    ...commandsBelow(root, []).map(([path, command]) => commandSection(path, command)),
  );
}

function commandsBelow(command: Command, above: readonly string[]): (readonly [string, Command])[] {
  if (command.hidden === true) return [];
  const path = [...above, command.name];
  const below = (command.commands ?? []).flatMap((one) => commandsBelow(one, path));
  return command.run === undefined ? below : [[path.join(' '), command], ...below];
}

function commandSection(path: string, command: Command): string {
  const { positionals = [], options = [], examples = [], aliases = [] } = command;
  const argument = ({ name, summary }: Positional) => [`\`${name.toUpperCase()}\``, summary];
  return [
    `## ${path}`,
    command.description === undefined ? `${command.summary}.` : `${command.summary}. ${command.description}`,
    `\`\`\`text\n${usage(path, command)}\n\`\`\``,
    ...(aliases.length > 0 ? [`Also: ${aliases.map((alias) => `\`${alias}\``).join(', ')}`] : []),
    ...(positionals.length > 0 ? [tableOf(['argument', ''], positionals.map(argument))] : []),
    ...(options.length > 0 ? [tableOf(['option', ''], options.map(optionRow))] : []),
    ...(examples.length > 0 ? [`\`\`\`sh\n${examples.join('\n')}\n\`\`\``] : []),
  ].join('\n\n');
}

function optionRow({ name, short, type, placeholder, choices, summary, default: fallback }: Option): string[] {
  const value = type === 'boolean' ? '' : ` ${placeholder ?? choices?.join('|') ?? 'VALUE'}`;
  const text = fallback === undefined ? summary : `${summary} (default \`${fallback}\`)`;
  return [`${short === undefined ? '' : `\`-${short}\`, `}\`--${name}${value}\``, text];
}

/** Defaults that depend on the user or the machine, in words. */
const spokenDefaults: Readonly<Record<string, string>> = {
  dataDir: '`dormouse` in `$XDG_DATA_HOME`, else in `~/.local/share`',
  httpPort: '80 as root, else 8080',
  httpsPort: '443 as root, else 8443',
};

function configurationPage(): string {
  const row = ([name, { flag, env, key, summary, fallback }]: readonly [string, Setting<unknown>]) => [
    `\`--${flag}\``,
    `\`${env}\``,
    key === undefined ? '–' : `\`${key}\``,
    spokenDefaults[name] ?? `\`${String(fallback({}))}\``,
    summary,
  ];
  return page(
    'Configuration',
    'A flag wins over the environment, that over `config.yaml` in the data directory (`key: value` lines), that over the default. Unknown keys are refused. A default port that is taken falls to the one used last time, or to a free one; a port that was asked for must be free. `dormouse config show --origin` prints what is in effect.',
    tableOf(['flag', 'environment', 'config.yaml', 'default', ''], Object.entries(settings).map(row)),
  );
}

/** Annotations that a user sets; a test compares the names with those the code reads. */
export const userAnnotations: Readonly<Record<'template' | 'service', Readonly<Record<string, string>>>> = {
  template: {
    [`${autoscalingPrefix}class`]: 'Autoscaler: `kpa.autoscaling.knative.dev` (by requests) or `hpa.autoscaling.knative.dev`.',
    [`${autoscalingPrefix}metric`]: 'What is scaled by: `concurrency` or `rps`.',
    [`${autoscalingPrefix}target`]: 'Wanted value of the metric per instance.',
    [`${autoscalingPrefix}target-utilization-percentage`]: 'Share of the target that is scaled for.',
    [`${autoscalingPrefix}target-burst-capacity`]: 'Spare requests that must fit without queueing; -1: always queue, 0: only when asleep.',
    [`${autoscalingPrefix}min-scale`]: 'Fewest instances; 0 lets the revision sleep.',
    [`${autoscalingPrefix}max-scale`]: 'Most instances; 0: no limit.',
    [`${autoscalingPrefix}initial-scale`]: 'Instances that a new revision starts with.',
    [`${autoscalingPrefix}activation-scale`]: 'Fewest instances when it wakes up.',
    [`${autoscalingPrefix}scale-down-delay`]: 'How long less load must last before instances go, for example `15m`.',
    [`${autoscalingPrefix}scale-to-zero-pod-retention-period`]: 'How long the last instance stays at least.',
    [`${autoscalingPrefix}window`]: 'Time over which load is averaged, for example `40s`.',
    [`${autoscalingPrefix}panic-window-percentage`]: 'Panic window as a share of the window.',
    [`${autoscalingPrefix}panic-threshold-percentage`]: 'Load, as a share of what the instances can take, at which panic begins.',
    [`${autoscalingPrefix}metric-aggregation-algorithm`]: '`linear` or `weighted-exponential`.',
    [idleAnnotation]: '`freeze`: idle instances are frozen instead of removed.',
    [frozenRetentionAnnotation]: 'How long a frozen instance is kept, for example `1h`.',
    [annotations.progressDeadline]: 'How long a revision may take to become ready, in whole seconds (`600s`).',
  },
  service: {
    [annotations.rolloutDuration]: 'Traffic moves to a new revision over this time (`380s`).',
    [annotations.noGc]: 'On a revision: `true` keeps it from being collected.',
    [annotations.creator]: 'Set by the platform: who created the object.',
    [annotations.lastModifier]: 'Set by the platform: who changed its spec last.',
  },
};

function annotationsPage(): string {
  const rows = (of: Readonly<Record<string, string>>) => Object.entries(of).map(([name, text]) => [`\`${name}\``, text]);
  return page(
    'Annotations',
    '## On `spec.template.metadata`\n\nThe autoscaling ones are refused elsewhere. Cluster-wide defaults are in the ConfigMap `config-autoscaler` of `knative-serving`.',
    tableOf(['annotation', ''], rows(userAnnotations.template)),
    '## On the object itself',
    tableOf(['annotation', ''], rows(userAnnotations.service)),
  );
}

function errorsPage(): string {
  return page(
    'Errors',
    'Commands: what the user can mend ends with exit code 1, the reason and what to do next ([exit codes](cli.md)). Requests to services: [answers of the gateway](gateway-answers.md).',
    '## The Kubernetes API\n\nEvery failure is a `Status` with code, reason and message. Those about one object (NotFound, AlreadyExists, Conflict, Invalid, Forbidden) have Kubernetes’ texts, refusals of serving objects Knative’s (`admission webhook "validation.webhook.serving.knative.dev" denied the request: …`). Those of the server itself:',
    tableOf(
      ['code', 'reason', 'message', 'fault', 'try again'],
      apiFailures.map(({ error, fault, retriable }) => [
        String(error.code),
        error.reason,
        `\`${error.message}\``,
        fault,
        retriable ? 'yes' : 'no',
      ]),
    ),
    '## Images\n\nThe registry answers with the codes of the distribution specification; `dormouse build`, `deploy --source` and `image …` print the message.',
    tableOf(
      ['status', 'code', 'means'],
      Object.entries(imageFaults).map(([code, { status, text }]) => [String(status), `\`${code}\``, text]),
    ),
    '## Revisions\n\nWhat a revision’s conditions say when it is not ready (`kubectl describe revision`, `dormouse deploy`).',
    tableOf(
      ['reason', 'means'],
      Object.entries(revisionReasons).map(([reason, text]) => [`\`${reason}\``, text]),
    ),
  );
}

/** Reasons of conditions that a user meets; a test looks for each in the serving controllers. */
export const revisionReasons: Readonly<Record<string, string>> = {
  ContainerMissing: 'The image cannot be found or fetched; the message has the registry’s words.',
  ExitCode: 'The container ended (`ExitCode5` and the like); the message ends with its last log lines.',
  ProgressDeadlineExceeded: 'It was not ready within `serving.knative.dev/progress-deadline`.',
  NoTraffic: 'It is not called and sleeps (`Active` is `False`). Nothing is wrong.',
  RevisionMissing: 'Of a Service, Configuration or Route: the revision it needs is not there or not ready.',
  RevisionFailed: 'Of a Service or Configuration: its newest revision failed; traffic stays with the last good one.',
};

function knativeConfigurationPage(): string {
  return page(
    'Knative’s configuration maps',
    'Keys of the ConfigMaps `config-*` in `knative-serving`, with their defaults. They are checked when they are written and in effect at once; other keys are kept and ignored. `config-domain` holds domains, each with an optional selector. The annotations `queue.sidecar.serving.knative.dev/*` are checked and change nothing: there is no sidecar.',
    ...knativeConfiguration().flatMap(({ heading, rows }) => [heading, tableOf(['key', 'default', ''], rows)]),
  );
}

function answersPage(): string {
  return page(
    'Answers of the gateway',
    'What the gateway answers itself, instead of a container. Fault `user`: the request has to change; `system`: the platform’s or the container’s doing. The same request may succeed later where it says so.',
    tableOf(
      ['status', 'body', 'fault', 'try again'],
      Object.values(answers).map(({ status, reason, body, fault, retriable }) => [
        `${status} ${reason}`,
        `\`${body}\``,
        fault,
        retriable ? 'yes' : 'no',
      ]),
    ),
  );
}

function metricsPage(): string {
  const rows: string[][] = [];
  const record =
    (type: string) =>
    (name: string, help: string, labelNames: readonly string[] = []) =>
      rows.push([`\`${name}\``, type, labelNames.join(', ') || '–', help]);
  const recorder: Metrics = {
    ...noMetrics,
    counter: (...words) => (record('counter')(...words), noMetrics.counter(...words)),
    gauge: (...words) => (record('gauge')(...words), noMetrics.gauge(...words)),
    histogram: (name, help, labelNames) => (record('histogram')(name, help, labelNames), noMetrics.histogram(name, help)),
  };
  apiServerMetrics(recorder);
  controllerMetrics(recorder);
  return page(
    'Metrics of the control process',
    'Served as Prometheus text at `/metrics` of the Kubernetes API, to those RBAC lets read it, with the usual `process_*` and `nodejs_*` ones and the label `component`. Those of the gateway: [gateway-metrics.md](gateway-metrics.md).',
    tableOf(['metric', 'type', 'labels', ''], rows),
  );
}
