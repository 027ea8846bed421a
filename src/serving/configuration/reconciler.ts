import { conditionOf, isReady } from '#apis/knative/status.ts';
import { labels } from '#apis/serving/names.ts';
import { configurations, revisions } from '#apis/serving/v1/kinds.ts';
import type { Configuration, ConfigurationStatus, Revision } from '#apis/serving/v1/schemas.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, type ConditionManager } from '#controller/conditions.ts';
import { done, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { childrenOf, trackChildren } from '#controller/owner.ts';
import { configurationConditions, quoted } from '#serving/conditions.ts';
import { findNamedRevision } from '#serving/configuration/named-revision.ts';
import { makeRevision } from '#serving/configuration/resources.ts';

/** Configuration → one Revision a generation; tells which one is the latest created and the latest ready. */
export const configurationController: ControllerModule<Configuration> = {
  name: 'configuration-controller',
  setup(context, enqueue) {
    const informer = context.informers.of(revisions);
    trackChildren(informer, configurations, enqueue);
    const reconciler = new ConfigurationReconciler(context, informer);
    return {
      resource: configurations,
      skipsTerminating: true,
      reconcile: (object) => reconciler.reconcile(object),
    };
  },
};

class ConfigurationReconciler {
  readonly #context: ControllerContext;
  readonly #revisions: Informer<Revision>;

  constructor(context: ControllerContext, revisionInformer: Informer<Revision>) {
    this.#context = context;
    this.#revisions = revisionInformer;
  }

  async reconcile(configuration: Configuration): Promise<Outcome> {
    const status = (configuration.status ??= {});
    const manager = configurationConditions.manage(status, timestamp(this.#context.clock));
    manager.initialize();
    const latest = await this.#latestCreated(configuration, manager);
    if (latest !== undefined) {
      status.latestCreatedRevisionName = latest.metadata.name ?? '';
      this.#judge(configuration, latest, manager);
      this.#advanceLatestReady(configuration, status, manager);
    }
    if (configuration.metadata.generation !== undefined) status.observedGeneration = configuration.metadata.generation;
    return done;
  }

  /** The revision of this generation, created when it is missing; undefined when its name is taken. */
  async #latestCreated(configuration: Configuration, manager: ConditionManager): Promise<Revision | undefined> {
    const named = findNamedRevision(configuration, this.#revisions);
    if (named === 'taken') {
      const name = configuration.spec?.template?.metadata?.name ?? '';
      manager.markFalse(
        'Ready',
        'RevisionFailed',
        `Revision creation failed with message: revisions.serving.knative.dev ${quoted(name)} already exists.`,
      );
      return undefined;
    }
    if (typeof named === 'object') return named;
    const generation = String(configuration.metadata.generation);
    const found = childrenOf(this.#revisions, configuration).find(
      ({ metadata }) => metadata.labels?.[labels.configurationGeneration] === generation,
    );
    return found ?? this.#create(configuration, manager);
  }

  async #create(configuration: Configuration, manager: ConditionManager): Promise<Revision | undefined> {
    const desired = makeRevision(configuration, timestamp(this.#context.clock));
    try {
      const created = await this.#context.client.of(revisions).create(desired);
      this.#context.events.event(configuration, 'Normal', 'Created', `Created Revision ${quoted(created.metadata.name ?? '')}`);
      return created;
    } catch (error) {
      // The cache is behind, or a revision of this name belongs to somebody else: the next look tells.
      if (isReason(error, 'AlreadyExists')) throw new Error('failed to create Revision', { cause: error });
      const message = (error as Error).message;
      this.#context.events.event(configuration, 'Warning', 'CreationFailed', `Failed to create Revision: ${message}`);
      manager.markFalse('Ready', 'RevisionFailed', `Revision creation failed with message: ${message}.`);
      throw error;
    }
  }

  #judge(configuration: Configuration, revision: Revision, manager: ConditionManager): void {
    const ready = conditionOf(revision, 'Ready');
    const name = revision.metadata.name ?? '';
    if (ready?.status === 'True' && configuration.status?.latestReadyRevisionName === undefined) {
      this.#context.events.event(configuration, 'Normal', 'ConfigurationReady', 'Configuration becomes ready');
    }
    if (ready?.status !== 'False') {
      // Another revision than the one that serves has to prove itself first.
      if (configuration.status?.latestReadyRevisionName !== name) manager.markUnknown('Ready', '', '');
      return;
    }
    const message = `Revision ${quoted(name)} failed with message: ${ready.message ?? ''}.`;
    if (manager.get('Ready')?.message !== message) {
      const [reason, which] =
        name === configuration.status?.latestReadyRevisionName
          ? ['LatestReadyFailed', 'Latest ready']
          : ['LatestCreatedFailed', 'Latest created'];
      this.#context.events.event(configuration, 'Warning', reason, `${which} revision ${quoted(name)} has failed`);
    }
    manager.markFalse('Ready', 'RevisionFailed', message);
  }

  /** The newest ready revision, never older than the one before, unless a template brings back an older one by name. */
  #advanceLatestReady(configuration: Configuration, status: ConfigurationStatus, manager: ConditionManager): void {
    const last = this.#revisions.get(configuration.metadata.namespace, status.latestReadyRevisionName ?? '');
    const oldest = last === undefined ? 0 : generationOf(last);
    const brought = configuration.spec?.template?.metadata?.name ?? '';
    const isBrought = (revision: Revision) => brought !== '' && revision.metadata.name === brought;
    const candidates = childrenOf(this.#revisions, configuration)
      .filter((revision) => isBrought(revision) || generationOf(revision) >= oldest)
      .toSorted((a, b) => Number(isBrought(b)) - Number(isBrought(a)) || generationOf(b) - generationOf(a));
    const newest = candidates.find((revision) => isReady(revision));
    if (newest === undefined) return;
    const name = newest.metadata.name ?? '';
    if (status.latestReadyRevisionName !== name) {
      status.latestReadyRevisionName = name;
      this.#context.events.event(configuration, 'Normal', 'LatestReadyUpdate', `LatestReadyRevisionName updated to ${quoted(name)}`);
    }
    if (name === status.latestCreatedRevisionName) manager.markTrue('Ready');
  }
}

function generationOf(revision: Revision): number {
  return Number(revision.metadata.labels?.[labels.configurationGeneration] ?? 0);
}
