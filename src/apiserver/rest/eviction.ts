import { isReady } from '#apis/core/v1/pod-state.ts';
import { selectorMatches } from '#apis/meta/label-selector.ts';
import { evictionDefinition } from '#apis/policy/v1/eviction.ts';
import type { PodDisruptionBudget } from '#apis/policy/v1/pod-disruption-budget.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { badRequest, forbidden, StatusError } from '#apis/meta/status.ts';
import { objectKeyOf } from '#apiserver/cache/watch-cache.ts';
import { keyOfCall, type ResourceCall } from '#apiserver/context.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { receiveChecked } from '#apiserver/rest/checked-body.ts';
import { plainResponse } from '#apiserver/rest/commit.ts';
import { deleteObject } from '#apiserver/rest/delete.ts';
import { viewOf } from '#apiserver/rest/resource-scope.ts';
import { draftOf } from '#apiserver/rest/stages.ts';
import { currentState, updateObject } from '#apiserver/rest/update.ts';
import { parseWriteOptions } from '#apiserver/rest/write-options.ts';

const severalBudgets = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
const violates = "Cannot evict pod as it would violate the pod's disruption budget.";
const maxDisruptedPods = 2000;
const stillProcessedSeconds = 10;

/**
 * Deletes a pod on behalf of a drain, when its disruption budget has room: one disruption is taken from the budget's status, in one atomic
 * update, before the pod goes. 429 when there is none left. Pods that do not count toward a budget go at once.
 */
export async function evict(call: ResourceCall): Promise<ApiResponse> {
  const eviction = await receiveChecked(call, evictionDefinition);
  const name = eviction.metadata.name ?? '';
  if (name !== '' && name !== call.info.name)
    throw badRequest(`name in URL does not match name in Eviction object: ${call.info.name} != ${name}`);
  const options = eviction.deleteOptions ?? {};
  const dryRunAll = (options.dryRun ?? []).includes('All') || call.request.query.get('dryRun') === 'All';
  const pod = (await currentState(call, keyOfCall(call))).objectIn(viewOf(call.served)) as Pod;
  if (counts(pod)) await takeDisruption(call, pod, dryRunAll);
  await deleteObject(call, { ...options, dryRunAll });
  return plainResponse({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201);
}

/** Pods that have ended, have not begun or are going away take nothing from anybody. */
function counts({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && !['Succeeded', 'Failed', 'Pending'].includes(status?.phase ?? 'Pending');
}

async function takeDisruption(call: ResourceCall, pod: Pod, dryRun: boolean): Promise<void> {
  const budgets = budgetsOf(call, pod);
  const [budget] = budgets;
  if (budgets.length > 1) throw new StatusError('InternalError', severalBudgets);
  if (budget === undefined || mayGoUnhealthy(pod, budget)) return;
  const served = call.context.registry.find('policy', 'v1', 'poddisruptionbudgets');
  if (served === undefined) return;
  const info = { ...call.info, group: 'policy', plural: 'poddisruptionbudgets', name: budget.metadata.name ?? '', subresource: 'status' };
  const options = { ...parseWriteOptions(call, 'CreateOptions'), dryRun };
  await updateObject({ ...call, served, info }, options, {
    subresource: 'status',
    part: 'status',
    next: (stored) => {
      const next = draftOf(stored) as PodDisruptionBudget;
      delete next.metadata.resourceVersion;
      next.status = disrupted(stored as PodDisruptionBudget, pod.metadata.name ?? '', call.now);
      return next;
    },
  });
}

function budgetsOf({ context, info }: ResourceCall, pod: Pod): PodDisruptionBudget[] {
  const cache = context.cache.resource('policy', 'poddisruptionbudgets');
  const budgets = [...cache.range(objectKeyOf('policy', 'poddisruptionbudgets', info.namespace, ''))];
  return budgets
    .map(({ object }) => object as PodDisruptionBudget)
    .filter(({ spec }) => selectorMatches(spec?.selector, pod.metadata.labels));
}

/** A pod that is not ready does no work that a budget could protect: it may go while the others suffice, or always where the budget says so. */
function mayGoUnhealthy(pod: Pod, { spec, status }: PodDisruptionBudget): boolean {
  if (isReady(pod)) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

/** The budget's status with one disruption less; throws when there is none to take. */
function disrupted({ metadata, status = {} }: PodDisruptionBudget, pod: string, now: string): NonNullable<PodDisruptionBudget['status']> {
  const name = metadata.name ?? '';
  const { disruptionsAllowed = 0, disruptedPods = {}, desiredHealthy = 0, currentHealthy = 0 } = status;
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    throw refusal(`The disruption budget ${name} is still being processed by the server.`, stillProcessedSeconds);
  if (Object.keys(disruptedPods).length > maxDisruptedPods)
    throw forbidden(
      'policy',
      'poddisruptionbudgets',
      name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    );
  if (disruptionsAllowed <= 0)
    throw refusal(`The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`, 0);
  return { ...status, disruptionsAllowed: disruptionsAllowed - 1, disruptedPods: { ...disruptedPods, [pod]: now } };
}

function refusal(message: string, retryAfterSeconds: number): StatusError {
  const causes = [{ reason: 'DisruptionBudget', message }];
  return new StatusError('TooManyRequests', violates, { details: { causes, ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }) } });
}
