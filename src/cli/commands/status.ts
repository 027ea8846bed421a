import { textOption, type Invocation } from '#cli/command.ts';
import { layoutFor, runningStatus } from '#cli/platform.ts';
import { printData, table } from '#cli/output.ts';
import { freeBytes } from '#platform/disk-space.ts';
import type { PlatformStatus } from '#platform/supervisor/supervisor.ts';

const lowDiskMegabytes = 200;

/** `dormouse status`: exit code 0 when the platform runs and every process is ready, 1 otherwise. */
export async function status(invocation: Invocation): Promise<number> {
  const layout = await layoutFor(invocation);
  const found = await runningStatus(layout);
  const form = textOption(invocation, 'output') ?? 'table';
  if (form !== 'table') await printData(invocation.stdout, form, found ?? { running: false, dataDir: layout.dataDir });
  else
    invocation.stdout.write(
      found === undefined ? `No platform is running on ${layout.dataDir}. Start one with "dormouse up".\n` : describe(found),
    );
  return found !== undefined && found.processes.every(({ state }) => state === 'ready') ? 0 : 1;
}

function describe(status: PlatformStatus): string {
  const { ports } = status;
  const node = status.processes.find(({ role }) => role === 'node')?.details ?? {};
  const remarks = [...((node['remarks'] as readonly string[] | undefined) ?? []), ...diskRemark(status.dataDir)];
  return [
    table(
      ['PROCESS', 'STATE', 'PID', 'RESTARTS'],
      status.processes.map((one) => [one.role, one.state, String(one.pid ?? '-'), String(one.restarts)]),
    ),
    '',
    table(
      ['', ''],
      [
        ['Version', status.version],
        ['Services', `http://<name>.<namespace>.${status.domain}:${ports.httpPort}`],
        ['Kubernetes', `https://${status.listen}:${ports.apiPort}`],
        ['Kubeconfig', status.kubeconfig],
        ['Registry', `localhost:${ports.registryPort}`],
        ['Metrics', `http://${status.listen}:${ports.adminPort}/metrics`],
        ['Data', status.dataDir],
        ['Runtime', known(node['runtime'])],
        ['Isolation', known(node['isolation'])],
      ],
    )
      .split('\n')
      .slice(1)
      .join('\n'),
    ...remarks.map((remark) => `Note: ${remark}`),
    '',
  ].join('\n');
}

function known(value: unknown): string {
  return typeof value === 'string' ? value : 'not known yet';
}

/** A full disk lets no change be stored, while everything goes on serving. */
function diskRemark(dataDir: string): string[] {
  const megabytes = freeBytes(dataDir) / 2 ** 20;
  return megabytes >= lowDiskMegabytes
    ? []
    : [`only ${megabytes.toFixed(1)} MB are free on the disk of ${dataDir}; on a full one no change can be stored`];
}
