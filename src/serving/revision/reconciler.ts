import { deployments, type Deployment } from '#apis/apps/v1/deployment.ts';
import { classAnnotation, classOf, podAutoscalers, type PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { cachedImages, type CachedImage } from '#apis/caching/v1alpha1/image.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { labels } from '#apis/serving/names.ts';
import { revisions } from '#apis/serving/v1/kinds.ts';
import type { Revision, RevisionStatus } from '#apis/serving/v1/schemas.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, type ConditionManager } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { enqueueOwner } from '#controller/owner.ts';
import { quoted, revisionConditions } from '#serving/conditions.ts';
import { ConfigStore } from '#controller/config-store.ts';
import { ensureChild, notOwnedRetryMs, NotOwnedError } from '#controller/children.ts';
import { ImageMissingError, resolveImages, type ImageResolver } from '#serving/revision/digests.ts';
import { makeDeployment, makeImageCache, makePodAutoscaler, type RevisionConfig } from '#serving/revision/resources.ts';
import { propagateAutoscaler, propagateDeployment, propagatePod } from '#serving/revision/status.ts';

const revisionOfPod = 'revision';
/** A revision whose image could not be resolved looks again after this long: a push may have come. */
const retryMissingMs = 10_000;

/** Revision → Deployment, PodAutoscaler and image hints; images resolved to digests first. */
export function revisionController(resolver: ImageResolver): ControllerModule<Revision> {
  return {
    name: 'revision-controller',
    setup(context, enqueue) {
      const informers = {
        deployments: context.informers.of(deployments),
        autoscalers: context.informers.of(podAutoscalers),
        images: context.informers.of(cachedImages),
        pods: context.informers.of(pods),
      };
      informers.pods.addIndex(revisionOfPod, (pod) => {
        const revision = pod.metadata.labels?.[labels.revision];
        return revision === undefined ? [] : [`${pod.metadata.namespace}/${revision}`];
      });
      enqueueOwner(informers.deployments, revisions, enqueue);
      enqueueOwner(informers.autoscalers, revisions, enqueue);
      // A failing container shows in its pod before it shows anywhere else.
      informers.pods.on(({ object }) => {
        const revision = object.metadata.labels?.[labels.revision];
        if (revision !== undefined && hasTrouble(object)) enqueue.key(`${object.metadata.namespace}/${revision}`);
      });
      const config = new ConfigStore(context);
      config.onChange(['config-deployment', 'config-observability', 'config-features'], () => enqueue.all());
      const reconciler = new RevisionReconciler(context, informers, config, resolver);
      return {
        resource: revisions,
        skipsTerminating: true,
        workers: 8,
        reconcile: (revision, signal) => reconciler.reconcile(revision, signal),
      };
    },
  };
}

function hasTrouble(pod: Pod): boolean {
  return (
    (pod.status?.containerStatuses ?? []).some(({ lastState, state }) => lastState?.terminated ?? state?.terminated ?? state?.waiting) ||
    (pod.status?.conditions ?? []).some(({ type, status }) => type === 'PodScheduled' && status === 'False')
  );
}

interface RevisionInformers {
  readonly deployments: Informer<Deployment>;
  readonly autoscalers: Informer<PodAutoscaler>;
  readonly images: Informer<CachedImage>;
  readonly pods: Informer<Pod>;
}

class RevisionReconciler {
  readonly #context: ControllerContext;
  readonly #informers: RevisionInformers;
  readonly #config: ConfigStore;
  readonly #resolver: ImageResolver;

  constructor(context: ControllerContext, informers: RevisionInformers, config: ConfigStore, resolver: ImageResolver) {
    this.#context = context;
    this.#informers = informers;
    this.#config = config;
    this.#resolver = resolver;
  }

  async reconcile(revision: Revision, signal: AbortSignal): Promise<Outcome> {
    const status = (revision.status ??= {});
    const manager = revisionConditions.manage(status, timestamp(this.#context.clock));
    const wasReady = manager.isHappy;
    manager.initialize();
    if (revision.metadata.generation !== undefined) status.observedGeneration = revision.metadata.generation;
    const config = this.#revisionConfig();
    this.#setLogUrl(revision, status, config);
    if (!(await this.#resolveDigests(revision, status, manager, config, signal))) return requeue(retryMissingMs);
    try {
      await this.#reconcileChildren(revision, status, manager, config);
    } catch (error) {
      if (!(error instanceof NotOwnedError)) throw error;
      manager.markFalse(
        'ResourcesAvailable',
        'NotOwned',
        `There is an existing ${error.kind} ${quoted(error.childName)} that we do not own.`,
      );
      return requeue(notOwnedRetryMs);
    }
    if (!wasReady && manager.isHappy) {
      this.#context.events.event(revision, 'Normal', 'RevisionReady', 'Revision becomes ready upon all resources being ready');
    }
    return done;
  }

  #revisionConfig(): RevisionConfig {
    return {
      deployment: this.#config.get('config-deployment'),
      autoscaler: this.#config.get('config-autoscaler'),
      observability: this.#config.get('config-observability'),
      features: this.#config.get('config-features'),
    };
  }

  #setLogUrl(revision: Revision, status: RevisionStatus, { observability }: RevisionConfig): void {
    const template = observability['logging.revision-url-template'];
    // The shipped example points nowhere: no link is better than a dead one.
    if (template === '' || template.includes('logging.example.com')) delete status.logUrl;
    else status.logUrl = template.replaceAll('${REVISION_UID}', revision.metadata.uid ?? '');
  }

  /** False when an image cannot be had; the conditions say why. Digests are resolved once: a revision never changes. */
  async #resolveDigests(
    revision: Revision,
    status: RevisionStatus,
    manager: ConditionManager,
    { deployment }: RevisionConfig,
    signal: AbortSignal,
  ): Promise<boolean> {
    const containers = revision.spec?.containers ?? [];
    const initContainers = revision.spec?.initContainers ?? [];
    if (status.containerStatuses !== undefined && status.containerStatuses.length === containers.length) return true;
    const skip = new Set(deployment['registries-skipping-tag-resolving'].split(',').map((name) => name.trim()));
    try {
      const user = {
        namespace: revision.metadata.namespace ?? '',
        serviceAccountName: revision.spec?.serviceAccountName,
        imagePullSecrets: revision.spec?.imagePullSecrets,
      };
      const images = await resolveImages([...containers, ...initContainers], this.#resolver, user, {
        skip,
        limitMs: deployment['digest-resolution-timeout'],
        signal,
        clock: this.#context.clock,
      });
      status.containerStatuses = images.slice(0, containers.length);
      if (initContainers.length > 0) status.initContainerStatuses = images.slice(containers.length);
      return true;
    } catch (error) {
      if (!(error instanceof ImageMissingError)) throw error;
      manager.markUnknown('ResourcesAvailable', 'ResolvingDigests', '');
      manager.markFalse('ContainerHealthy', 'ContainerMissing', error.message);
      return false;
    }
  }

  async #reconcileChildren(revision: Revision, status: RevisionStatus, manager: ConditionManager, config: RevisionConfig): Promise<void> {
    const { client } = this.#context;
    const digests = new Map(
      [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])].map(({ name = '', imageDigest = '' }) => [
        name,
        imageDigest,
      ]),
    );
    const desired = makeDeployment(revision, digests, config);
    const [deployment, autoscaler] = await Promise.all([
      ensureChild(client, this.#informers.deployments, revision, desired, adoptDeployment),
      ensureChild(client, this.#informers.autoscalers, revision, makePodAutoscaler(revision), adoptAutoscaler),
      ...[...digests].map(([container, image]) =>
        ensureChild(client, this.#informers.images, revision, makeImageCache(revision, container, image), () => {}),
      ),
    ]);
    this.#judge(
      revision,
      deployment as { object: Deployment; created: boolean },
      (autoscaler as { object: PodAutoscaler }).object,
      status,
      manager,
      config,
    );
  }

  #judge(
    revision: Revision,
    { object: deployment, created }: { object: Deployment; created: boolean },
    autoscaler: PodAutoscaler,
    status: RevisionStatus,
    manager: ConditionManager,
    config: RevisionConfig,
  ): void {
    if (created) {
      manager.markUnknown('ResourcesAvailable', 'Deploying', '');
      manager.markUnknown('ContainerHealthy', 'Deploying', '');
    } else {
      propagateDeployment(deployment, manager);
      const wanted = deployment.spec?.replicas ?? 0;
      if (wanted > 0 && (deployment.status?.availableReplicas ?? 0) === 0) {
        const [pod] = this.#informers.pods
          .byIndex(revisionOfPod, `${revision.metadata.namespace}/${revision.metadata.name}`)
          .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
        if (pod !== undefined) propagatePod(pod, deployment, config.deployment['pod-is-always-schedulable'], manager);
      }
      if ((deployment.status?.readyReplicas ?? 0) > 0) manager.markTrue('ContainerHealthy');
    }
    propagateAutoscaler(autoscaler, status, manager);
  }
}

/** What the configuration maps say of pods is followed; the revision itself never changes, and how many there are is the autoscaler's business. */
function adoptDeployment(existing: Deployment, desired: Deployment): void {
  const [spec, template] = [existing.spec, desired.spec?.template];
  if (spec === undefined || template === undefined) return;
  if (desired.spec?.progressDeadlineSeconds !== undefined) spec.progressDeadlineSeconds = desired.spec.progressDeadlineSeconds;
  const { affinity: _a, runtimeClassName: _r, ...rest } = spec.template.spec ?? { containers: [] };
  const { affinity, runtimeClassName } = template.spec ?? {};
  const pod = { ...rest, ...(affinity && { affinity }), ...(runtimeClassName && { runtimeClassName }) };
  const { annotations } = template.metadata ?? {};
  spec.template = { ...spec.template, metadata: { ...spec.template.metadata, annotations }, spec: pod } as typeof template;
  existing.metadata.labels = { ...existing.metadata.labels, ...desired.metadata.labels };
}

/** The class it was given when it was made stays, unless the revision names one. */
function adoptAutoscaler(existing: PodAutoscaler, desired: PodAutoscaler): void {
  if (desired.spec !== undefined) existing.spec = desired.spec;
  const given = classOf(existing);
  existing.metadata.annotations = { ...(given === undefined ? {} : { [classAnnotation]: given }), ...desired.metadata.annotations };
}
