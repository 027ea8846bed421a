import { bindingDefinition, type Binding } from '#apis/core/v1/binding.ts';
import { fieldInvalid, fieldNotSupported, invalid } from '#apis/meta/field-error.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { conflict } from '#apis/meta/status.ts';
import type { ResourceCall } from '#apiserver/context.ts';
import { apiError } from '#apiserver/errors.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { checkedBody } from '#apiserver/rest/checked-body.ts';
import { plainResponse } from '#apiserver/rest/commit.ts';
import { draftOf } from '#apiserver/rest/stages.ts';
import { updateObject } from '#apiserver/rest/update.ts';
import { parseWriteOptions } from '#apiserver/rest/write-options.ts';

interface Condition {
  type: string;
  status: string;
  lastTransitionTime?: string;
}
interface Pod extends KubeObject {
  spec: { nodeName?: string };
  status?: { conditions?: Condition[]; nominatedNodeName?: string };
}

/** Puts a pod on a node: what a scheduler's Binding asks for. 409 when it has one already. Answers a Status, 201. */
export async function bindPod(call: ResourceCall, body: KubeObject): Promise<ApiResponse> {
  const binding = checkedBody(call, bindingDefinition, body);
  const { kind = '', name: node = '' } = binding.target;
  if (kind !== '' && kind !== 'Node')
    throw invalid('', 'Binding', call.info.name, [fieldNotSupported('target.kind', kind, ['Node', '<empty>'])]);
  if (node === '') throw invalid('', 'Binding', call.info.name, [fieldInvalid('target.name', '', 'must name a node')]);
  const served = call.context.registry.find('', 'v1', 'pods');
  if (served === undefined) throw apiError('pathNotFound');
  const podCall: ResourceCall = { ...call, served, info: { ...call.info, plural: 'pods' } };
  await updateObject(podCall, parseWriteOptions(call, 'CreateOptions'), {
    subresource: 'binding',
    part: 'all',
    next: (stored) => bound(podCall, stored as Pod, binding, node),
  });
  return plainResponse({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201);
}

function bound({ info, now }: ResourceCall, stored: Pod, binding: Binding, node: string): Pod {
  const refuse = (why: string) => conflict('', 'pods/binding', info.name, why);
  if (stored.metadata.deletionTimestamp !== undefined) throw refuse(`pod ${info.name} is being deleted, cannot be assigned to a host`);
  const current = stored.spec.nodeName ?? '';
  if (current !== '') throw refuse(`pod ${info.name} is already assigned to node ${JSON.stringify(current)}`);
  const pod = draftOf(stored) as Pod;
  const { uid = '', annotations, labels } = binding.metadata;
  // The uid and nothing else is a precondition: the scheduler may have seen an older state of the pod.
  delete pod.metadata.resourceVersion;
  if (uid !== '') pod.metadata.uid = uid;
  if (annotations !== undefined) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations };
  if (labels !== undefined) pod.metadata.labels = { ...pod.metadata.labels, ...labels };
  pod.spec.nodeName = node;
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  // A place the scheduler had in mind for it is settled now.
  const { nominatedNodeName: _, ...status } = pod.status ?? {};
  pod.status = { ...status, conditions: [...others, { type: 'PodScheduled', status: 'True', lastTransitionTime: now }] };
  return pod;
}
