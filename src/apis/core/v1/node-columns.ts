import type { NodeStatus } from '#apis/core/v1/node-status.ts';
import type { Column } from '#apis/definition.ts';
import { ageColumn, column, wideColumn } from '#apis/meta/columns.ts';
import type { KubeObject } from '#apis/meta/object.ts';

interface NodeLike extends KubeObject {
  spec: { unschedulable?: boolean };
  status?: NodeStatus;
}

const rolePrefix = 'node-role.kubernetes.io/';

function statusOf({ spec, status }: NodeLike): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

function rolesOf({ metadata }: NodeLike): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length));
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return roles.size === 0 ? '<none>' : [...roles].sort().join(',');
}

const addressOf = (type: string) => (node: NodeLike) => node.status?.addresses?.find((one) => one.type === type)?.address ?? '<none>';
const orUnknown = (value: string | undefined): string => (value === undefined || value === '' ? '<unknown>' : value);

export const nodeColumns: readonly Column[] = [
  column('Status', statusOf),
  column('Roles', rolesOf),
  ageColumn,
  column<NodeLike>('Version', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
  wideColumn('Internal-IP', addressOf('InternalIP')),
  wideColumn('External-IP', addressOf('ExternalIP')),
  wideColumn<NodeLike>('OS-Image', ({ status }) => orUnknown(status?.nodeInfo?.osImage)),
  wideColumn<NodeLike>('Kernel-Version', ({ status }) => orUnknown(status?.nodeInfo?.kernelVersion)),
  wideColumn<NodeLike>('Container-Runtime', ({ status }) => orUnknown(status?.nodeInfo?.containerRuntimeVersion)),
];
