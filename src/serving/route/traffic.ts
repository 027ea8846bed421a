import { conditionOf, isReady } from '#apis/knative/status.ts';
import { labels } from '#apis/serving/names.ts';
import type { Configuration, Revision, Route, TrafficTarget } from '#apis/serving/v1/schemas.ts';
import { servingPort } from '#serving/revision/resources.ts';
import type { Lister } from '#client/informer-types.ts';

/** A share of traffic that goes to one revision. */
export interface RevisionTarget {
  readonly revision: string;
  readonly tag: string;
  readonly percent: number;
  readonly latestRevision: boolean;
  readonly protocol: 'http1' | 'h2c';
  /** The target as the route's spec wrote it, for its status. */
  readonly spec: TrafficTarget;
}

/** Why traffic cannot be assigned as asked: the condition AllTrafficAssigned. `deferred` is Unknown, not False. */
export interface TrafficProblem {
  readonly deferred: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface TrafficPlan {
  readonly targets: readonly RevisionTarget[];
  /** While there is a problem the old routing stays. */
  readonly problem: TrafficProblem | undefined;
  /** What the plan looked at, for the labeler. */
  readonly configurations: readonly Configuration[];
  readonly revisions: readonly Revision[];
}

interface Listers {
  readonly configurations: Lister<Configuration>;
  readonly revisions: Lister<Revision>;
}

/** Resolves a route's targets to ready revisions. */
export function planTraffic(route: Route, listers: Listers): TrafficPlan {
  const namespace = route.metadata.namespace;
  const targets: RevisionTarget[] = [];
  const configurations: Configuration[] = [];
  const revisions: Revision[] = [];
  let problem: TrafficProblem | undefined;
  const blame = (found: TrafficProblem) => {
    // A target that failed weighs more than one that is not ready yet; of several the last one is told.
    if (problem === undefined || !found.deferred) problem = found;
  };
  for (const spec of route.spec?.traffic ?? []) {
    const resolved =
      (spec.configurationName ?? '') === ''
        ? resolveRevision(spec.revisionName ?? '', namespace, route, listers.revisions)
        : resolveConfiguration(spec.configurationName ?? '', namespace, listers);
    if (resolved.configuration !== undefined) configurations.push(resolved.configuration);
    if (resolved.revision !== undefined) revisions.push(resolved.revision);
    if (resolved.problem !== undefined) blame(resolved.problem);
    if (resolved.problem !== undefined || resolved.revision === undefined) continue;
    targets.push({
      revision: resolved.revision.metadata.name ?? '',
      tag: spec.tag ?? '',
      percent: spec.percent ?? 0,
      latestRevision: (spec.configurationName ?? '') !== '',
      protocol: servingPort(resolved.revision.spec ?? ({} as NonNullable<Revision['spec']>)).protocol,
      spec,
    });
  }
  return { targets, problem, configurations, revisions };
}

interface Resolved {
  readonly configuration?: Configuration;
  readonly revision?: Revision;
  readonly problem?: TrafficProblem;
}

function resolveConfiguration(name: string, namespace: string | undefined, { configurations, revisions }: Listers): Resolved {
  const configuration = configurations.get(namespace, name);
  if (configuration === undefined) {
    return {
      problem: {
        deferred: false,
        reason: 'ConfigurationMissing',
        message: `Configuration ${JSON.stringify(name)} referenced in traffic not found.`,
      },
    };
  }
  const ready = configuration.status?.latestReadyRevisionName;
  if (ready === undefined || ready === '') {
    const failed =
      configuration.status?.observedGeneration === configuration.metadata.generation &&
      conditionOf(configuration, 'Ready')?.status === 'False';
    const message = failed
      ? `Configuration ${JSON.stringify(name)} does not have any ready Revision.`
      : `Configuration ${JSON.stringify(name)} is waiting for a Revision to become ready.`;
    return { configuration, problem: { deferred: !failed, reason: 'RevisionMissing', message } };
  }
  const revision = revisions.get(namespace, ready);
  if (revision === undefined) return { configuration, problem: missingRevision(ready) };
  const problem = unready(revision);
  return { configuration, revision, ...(problem === undefined ? {} : { problem }) };
}

function resolveRevision(name: string, namespace: string | undefined, route: Route, revisions: Lister<Revision>): Resolved {
  const revision = revisions.get(namespace, name);
  if (revision === undefined) return { problem: missingRevision(name) };
  const wanted = route.metadata.labels?.[labels.service];
  const owner = revision.metadata.labels?.[labels.service];
  if (wanted !== undefined && owner !== wanted) return { problem: notOwned(name, wanted, owner) };
  const problem = unready(revision);
  return { revision, ...(problem === undefined ? {} : { problem }) };
}

function unready(revision: Revision): TrafficProblem | undefined {
  if (isReady(revision)) return undefined;
  const name = JSON.stringify(revision.metadata.name);
  const failed = conditionOf(revision, 'Ready')?.status === 'False';
  const message = failed ? `Revision ${name} failed to become ready.` : `Revision ${name} is not yet ready.`;
  return { deferred: !failed, reason: 'RevisionMissing', message };
}

function missingRevision(name: string): TrafficProblem {
  return { deferred: false, reason: 'RevisionMissing', message: `Revision ${JSON.stringify(name)} referenced in traffic not found.` };
}

function notOwned(name: string, wanted: string, owner: string | undefined): TrafficProblem {
  const message =
    owner === undefined
      ? `Revision ${JSON.stringify(name)} does not belong to Service ${JSON.stringify(wanted)}.`
      : `Revision ${JSON.stringify(name)} belongs to Service ${JSON.stringify(owner)}, not Service ${JSON.stringify(wanted)}.`;
  return { deferred: false, reason: 'RevisionNotOwned', message };
}
