import { pods, type Pod, type PodTemplateSpec } from '#apis/core/v1/pod.ts';
import { isTerminating } from '#apis/core/v1/pod-state.ts';
import type { Resource } from '#apis/definition.ts';
import { objectKey, type KubeObject } from '#apis/meta/object.ts';
import { deleteObject } from '#client/delete-object.ts';
import type { Informer } from '#client/informer-types.ts';
import type { ControllerContext, Enqueue } from '#controller/controller.ts';
import { childrenOf, controllerReference, ownerKey, trackChildren } from '#controller/owner.ts';
import { Expectations } from '#cluster/expectations.ts';

/**
 * The pods that owners of one kind make and remove. Nothing is done twice because the cache is late, and every step is an event of the
 * owner, in the words of Kubernetes' own controllers.
 */
export class OwnedPods {
  readonly #context: ControllerContext;
  readonly #informer: Informer<Pod>;
  readonly #expectations: Expectations;

  /** Watches pods from now on and enqueues their owners. */
  constructor(context: ControllerContext, owners: Resource, enqueue: Enqueue) {
    this.#context = context;
    this.#informer = context.informers.of(pods);
    this.#expectations = new Expectations(context.clock);
    this.#informer.on(({ type, object }) => {
      const key = ownerKey(object, owners);
      if (key === undefined) return;
      if (type === 'added') this.#expectations.seen(key, made(object));
      if (type === 'deleted' || isTerminating(object)) this.#expectations.seen(key, gone(object));
    });
    trackChildren(this.#informer, owners, enqueue);
  }

  /** Those the cache knows. */
  of(owner: KubeObject): readonly Pod[] {
    return childrenOf(this.#informer, owner);
  }

  /** The cache shows all that was made and removed for the owner: what it lacks may be made. */
  isSettled(owner: KubeObject): boolean {
    return this.#expectations.met(objectKey(owner));
  }

  /** The owner of that key is gone. */
  forget(key: string): void {
    this.#expectations.forget(key);
  }

  async create(owner: KubeObject, pod: Pod): Promise<Pod> {
    let created: Pod;
    try {
      created = await this.#context.client.of(pods).create(pod);
    } catch (error) {
      this.#context.events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
      throw error;
    }
    const { namespace, name = '' } = created.metadata;
    // The watch may have been quicker than the answer.
    if (this.#informer.get(namespace, name) === undefined) this.#expectations.expect(objectKey(owner), made(created));
    this.#context.events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`);
    return created;
  }

  /** One that is gone already is no error. */
  async remove(owner: KubeObject, pod: Pod): Promise<void> {
    const key = objectKey(owner);
    let isDeleted = false;
    this.#expectations.expect(key, gone(pod));
    try {
      isDeleted = await deleteObject(this.#context.client.of(pods), pod);
    } catch (error) {
      this.#context.events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`);
      throw error;
    } finally {
      if (!isDeleted) this.#expectations.seen(key, gone(pod));
    }
    if (isDeleted) this.#context.events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
  }
}

const made = ({ metadata }: Pod): string => `+${metadata.uid}`;
const gone = ({ metadata }: Pod): string => `-${metadata.uid}`;

/** A pod as the owner's template describes it, under a name of its own. */
export function podFromTemplate(owner: KubeObject, owners: Resource, { metadata, spec }: Partial<PodTemplateSpec>): Pod {
  return {
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      labels: { ...metadata?.labels },
      annotations: { ...metadata?.annotations },
      ...(metadata?.finalizers === undefined ? {} : { finalizers: metadata.finalizers }),
      ownerReferences: [controllerReference(owner, owners)],
    },
    spec,
  } as Pod;
}
