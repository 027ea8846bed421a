import type { PodCondition, PodStatus } from '#apis/core/v1/pod-status.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { rfc3339 } from '#core/clock.ts';
import { containerStatusOf, type ContainerView } from '#node/engine-provider/container-view.ts';
import { qosClassOf } from '#apis/core/v1/qos-class.ts';

/** Everything a pod's status is made of. */
export interface StatusInput {
  readonly pod: Pod;
  /** The status before this one: its start time and the transition times of unchanged conditions are kept. Conditions that others
   * own come from the pod itself. */
  readonly previous: PodStatus;
  readonly init: readonly ContainerView[];
  readonly app: readonly ContainerView[];
  readonly ephemeral: readonly ContainerView[];
  readonly hasSandbox: boolean;
  readonly podIp: string | undefined;
  readonly hostIps: readonly string[];
  readonly now: number;
  /** Set when the pod was ended for a reason of its own, e.g. DeadlineExceeded. */
  readonly ended: { readonly reason: string; readonly message: string; readonly isDisruption: boolean } | undefined;
}

/** Readiness and start are nothing that is asked of it. */
function ephemeralStatusOf(view: ContainerView): ReturnType<typeof containerStatusOf> {
  const { started: _, ...status } = containerStatusOf(view);
  return { ...status, ready: false };
}

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** The pod status kubelet would write: phase, conditions, container statuses, addresses. Pure. */
export function buildPodStatus(input: StatusInput): PodStatus {
  const { pod, previous, ended } = input;
  const phase = phaseOf(input);
  const hostIp = input.hostIps[0];
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: conditionsOf(input, phase),
    ...(ended === undefined ? {} : { reason: ended.reason, message: ended.message }),
    ...(hostIp === undefined ? {} : { hostIP: hostIp, hostIPs: input.hostIps.map((ip) => ({ ip })) }),
    ...(input.podIp === undefined ? {} : { podIP: input.podIp, podIPs: [{ ip: input.podIp }] }),
    startTime: previous.startTime ?? rfc3339(input.now),
    ...(input.init.length === 0 ? {} : { initContainerStatuses: input.init.map(containerStatusOf) }),
    containerStatuses: input.app.map(containerStatusOf),
    ...(input.ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: input.ephemeral.map(ephemeralStatusOf) }),
    qosClass: qosClassOf(pod.spec),
  };
}

function phaseOf(input: StatusInput): Phase {
  const { pod, app } = input;
  if (input.ended !== undefined) return 'Failed';
  const policy = pod.spec?.restartPolicy ?? 'Always';
  for (const one of pendingInit(input)) {
    if (one.role === 'sidecar' ? !one.started : one.state.terminated?.exitCode !== 0) {
      return one.role === 'init' && policy === 'Never' && one.state.terminated !== undefined ? 'Failed' : 'Pending';
    }
  }
  // A container in back-off counts as ended: its last termination says how.
  const ends = app.map((one) => one.state.terminated ?? (one.state.waiting === undefined ? undefined : one.lastTerminated));
  if (app.some((one, index) => one.state.waiting !== undefined && ends[index] === undefined)) return 'Pending';
  if (app.some((one) => one.state.running !== undefined)) return 'Running';
  if (policy === 'Always') return 'Running';
  if (ends.every((end) => end?.exitCode === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

/** Init containers that still matter: none once an app container has run. */
function pendingInit({ init, app }: StatusInput): readonly ContainerView[] {
  const hasRun = app.some((one) => one.state.waiting === undefined || one.lastTerminated !== undefined);
  return hasRun ? [] : init;
}

function conditionsOf(input: StatusInput, phase: Phase): PodCondition[] {
  const { pod, previous, now } = input;
  const containers = containersReady(input, phase);
  const own: PodCondition[] = [
    { type: 'PodReadyToStartContainers', status: input.hasSandbox ? 'True' : 'False' },
    initialized(input, phase),
    podReady(input, containers),
    containers,
    { type: 'PodScheduled', status: 'True' },
    ...disruption(input),
  ];
  const known = new Map((previous.conditions ?? []).map((condition) => [condition.type, condition]));
  const stamped = own.map((condition) => {
    const before = known.get(condition.type);
    const same = before?.status === condition.status && before.lastTransitionTime !== undefined;
    const stamp = same ? before.lastTransitionTime : rfc3339(now);
    const observedGeneration = pod.metadata.generation;
    return {
      ...condition,
      ...(observedGeneration === undefined ? {} : { observedGeneration }),
      ...(stamp === undefined ? {} : { lastTransitionTime: stamp }),
    };
  });
  const ownTypes = new Set(own.map(({ type }) => type));
  return [...stamped, ...(pod.status?.conditions ?? []).filter(({ type }) => !ownTypes.has(type))];
}

/** Controllers tell by it that the pod did not fail by itself. */
function disruption({ ended }: StatusInput): PodCondition[] {
  if (ended?.isDisruption !== true) return [];
  return [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message: ended.message }];
}

function initialized(input: StatusInput, phase: Phase): PodCondition {
  if (phase === 'Succeeded') return { type: 'Initialized', status: 'True', reason: 'PodCompleted' };
  const missing = pendingInit(input)
    .filter((one) => (one.role === 'sidecar' ? !one.started : !one.ready))
    .map((one) => one.container.name);
  if (missing.length === 0) return { type: 'Initialized', status: 'True' };
  const message = `containers with incomplete status: [${missing.join(' ')}]`;
  return { type: 'Initialized', status: 'False', reason: 'ContainersNotInitialized', message };
}

function containersReady({ init, app }: StatusInput, phase: Phase): PodCondition {
  const type = 'ContainersReady';
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' };
  const unready = [...init.filter((one) => one.role === 'sidecar'), ...app].filter((one) => !one.ready).map((one) => one.container.name);
  if (unready.length === 0) return { type, status: 'True' };
  return { type, status: 'False', reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
}

function podReady({ pod }: StatusInput, containers: PodCondition): PodCondition {
  if (containers.status !== 'True') return { ...containers, type: 'Ready' };
  const problems = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const gate = pod.status?.conditions?.find((condition) => condition.type === conditionType);
    if (gate === undefined) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    return gate.status === 'True' ? [] : [`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`];
  });
  if (problems.length === 0) return { type: 'Ready', status: 'True' };
  const message = problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`;
  return { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message };
}
