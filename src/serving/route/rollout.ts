import type { RevisionTarget } from '#serving/route/traffic.ts';

/**
 * The gradual move of a configuration's traffic to its newest revision (annotation `networking.internal.knative.dev/rollout` of
 * the Ingress, serving.md §1.9). Field names and units (nanoseconds) are those of Knative's JSON; shares are percent of the route.
 */
export interface Rollout {
  readonly configurations?: readonly ConfigurationRollout[];
}

export interface ConfigurationRollout {
  readonly configurationName: string;
  readonly tag?: string;
  readonly percent: number;
  /** One: settled. Several: from the oldest, which loses traffic, to the newest, which gets it. */
  readonly revisions?: readonly RevisionShare[];
  readonly stepParams: StepParams;
}

interface RevisionShare {
  readonly revisionName: string;
  readonly percent: number;
}

interface StepParams {
  readonly starttime?: number;
  readonly nextStepTime?: number;
  readonly stepDuration?: number;
  readonly stepSize?: number;
}

const secondNs = 1e9;

export const isSettled = ({ configurations = [] }: Rollout): boolean => configurations.every(({ revisions = [] }) => revisions.length < 2);

/** Where the traffic of latest revisions is meant to end. */
export function goalOf(targets: readonly RevisionTarget[]): Rollout {
  const latest = targets.filter(({ latestRevision }) => latestRevision);
  const found = new Map<string, ConfigurationRollout>();
  const add = (tag: string, percent: number, target: RevisionTarget) => {
    const configurationName = target.spec.configurationName ?? '';
    const sum = percent + (found.get(`${tag}/${configurationName}`)?.percent ?? 0);
    const revisions = [{ revisionName: target.revision, percent: sum }];
    found.set(`${tag}/${configurationName}`, {
      configurationName,
      ...(tag === '' ? {} : { tag }),
      percent: sum,
      revisions,
      stepParams: {},
    });
  };
  for (const target of latest) if (target.percent > 0) add('', target.percent, target);
  for (const target of latest) if (target.tag !== '') add(target.tag, 100, target);
  return { configurations: [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one) };
}

/** Reads the annotation; what is not sound is as good as none. */
export function readRollout(text: string | undefined): Rollout | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const rollout = JSON.parse(text) as Rollout;
    const sound = (rollout.configurations ?? []).every(({ percent, revisions = [], stepParams }) => {
      const { stepSize = 0 } = stepParams;
      return percent <= 100 && stepSize >= 0 && stepSize <= percent && sum(revisions) === percent;
    });
    return sound ? rollout : undefined;
  } catch {
    return undefined;
  }
}

/** The state without revisions that have been deleted: the newest of those that are left gets what they had. */
export function withoutGone(rollout: Rollout | undefined, isThere: (revisionName: string) => boolean): Rollout | undefined {
  const configurations = rollout?.configurations?.flatMap((one) => {
    const left = (one.revisions ?? []).filter(({ revisionName }) => isThere(revisionName));
    const revisions = adjusted(left, one.percent - sum(left));
    return revisions.length === 0 ? [] : [{ ...one, revisions }];
  });
  return configurations === undefined ? undefined : { configurations };
}

/**
 * The state after `previous` on the way to `goal`, and when (ns) to look again; 0: not at all. Without a previous state the goal
 * is reached at once. `observed`: the Ingress has taken over the first share, from which the length of the steps follows.
 */
export function step(
  goal: Rollout,
  previous: Rollout | undefined,
  { nowNs, durationS, observed }: { nowNs: number; durationS: number; observed: boolean },
): { readonly rollout: Rollout; readonly nextNs: number } {
  if ((previous?.configurations ?? []).length === 0) return { rollout: goal, nextNs: 0 };
  const configurations = (goal.configurations ?? []).map((one) => {
    const before = previous?.configurations?.find((other) => keyOf(other) === keyOf(one));
    if (before === undefined || one.percent <= 1) return one;
    return stepConfiguration(one, observed ? measured(before, nowNs, durationS) : before, nowNs);
  });
  const times = configurations.map(({ stepParams }) => stepParams.nextStepTime ?? 0).filter((time) => time > 0);
  return { rollout: { configurations }, nextNs: times.length === 0 ? 0 : Math.min(...times) };
}

/** The targets with the shares that the rollout of `tag` gives them at present. */
export function rolled(targets: readonly RevisionTarget[], tag: string, { configurations = [] }: Rollout): RevisionTarget[] {
  const told = new Set<string>();
  return targets.flatMap((target) => {
    const name = target.spec.configurationName ?? '';
    const found = configurations.find((one) => one.configurationName === name && (one.tag ?? '') === tag);
    if (!target.latestRevision || target.percent === 0 || found === undefined || (found.revisions ?? []).length < 2) return [target];
    if (told.has(name)) return [{ ...target, percent: 0 }];
    told.add(name);
    return (found.revisions ?? []).map(({ revisionName, percent }) => ({ ...target, revision: revisionName, percent }));
  });
}

const keyOf = ({ configurationName, tag = '' }: ConfigurationRollout): string => `${tag}/${configurationName}`;
const sum = (shares: readonly RevisionShare[]): number => shares.reduce((total, { percent }) => total + percent, 0);

function stepConfiguration(goal: ConfigurationRollout, previous: ConfigurationRollout, nowNs: number): ConfigurationRollout {
  const shares = adjusted(previous.revisions ?? [], goal.percent - previous.percent);
  const newest = goal.revisions?.[0]?.revisionName ?? '';
  const last = shares.at(-1);
  if (last === undefined) return goal;
  if (last.revisionName === newest) {
    if (shares.length < 2) return goal;
    const going: ConfigurationRollout = { ...goal, revisions: shares, stepParams: previous.stepParams };
    return (previous.stepParams.stepSize ?? 0) > 0 && nowNs >= (previous.stepParams.nextStepTime ?? 0) ? moved(going, nowNs) : going;
  }
  // A new revision begins with one percent, taken from the newest of those before it.
  const giver = shares.findLastIndex(({ percent }) => percent > 0);
  const left = shares.map((share, index) => (index === giver ? { ...share, percent: share.percent - 1 } : share));
  const revisions = [...left.filter(({ percent }) => percent > 0), { revisionName: newest, percent: 1 }];
  return { ...goal, revisions, stepParams: { starttime: nowNs } };
}

/** The shares when the configuration's own grows (the newest gets it) or shrinks (the oldest lose it). */
function adjusted(shares: readonly RevisionShare[], difference: number): RevisionShare[] {
  if (difference >= 0) return shares.map((share, index) => (index === shares.length - 1 ? grown(share, difference) : share));
  return taken(shares, -difference);
}

const grown = (share: RevisionShare, by: number): RevisionShare => ({ ...share, percent: share.percent + by });

/** Takes `percent` away, beginning with the first; those left with nothing go. */
function taken(shares: readonly RevisionShare[], percent: number): RevisionShare[] {
  let rest = percent;
  return shares.flatMap((share) => {
    const part = Math.min(rest, share.percent);
    rest -= part;
    return part === share.percent && part > 0 ? [] : [grown(share, -part)];
  });
}

/** One step: from those next to the newest backwards. */
function moved(rollout: ConfigurationRollout, nowNs: number): ConfigurationRollout {
  const { revisions = [], stepParams, percent } = rollout;
  const { stepSize = 0, stepDuration = 0 } = stepParams;
  const givers = taken(revisions.slice(0, -1).toReversed(), stepSize).toReversed();
  const newest = { revisionName: revisions.at(-1)?.revisionName ?? '', percent: percent - sum(givers) };
  const done = givers.length === 0;
  return { ...rollout, revisions: [...givers, newest], stepParams: done ? {} : { ...stepParams, nextStepTime: nowNs + stepDuration } };
}

/** How long it took to move the first percent says how often there can be a step. */
function measured(rollout: ConfigurationRollout, nowNs: number, durationS: number): ConfigurationRollout {
  const { starttime = 0, stepDuration = 0 } = rollout.stepParams;
  if (stepDuration !== 0 || starttime === 0) return rollout;
  const minStepS = Math.max(1, Math.ceil((nowNs - starttime) / secondNs));
  const leftS = Math.max(1, durationS - minStepS);
  const left = rollout.percent - 1;
  const steps = Math.min(left, Math.max(1, leftS / minStepS));
  const length = Math.trunc((leftS / steps) * secondNs);
  const stepParams = { starttime, nextStepTime: nowNs + length, stepDuration: length, stepSize: Math.round(left / steps) };
  return { ...rollout, stepParams };
}
