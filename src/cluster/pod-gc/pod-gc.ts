import { nodes } from '#apis/core/v1/node.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { objectKey } from '#apis/meta/object.ts';
import { deleteObject } from '#client/delete-object.ts';
import { done, type ControllerContext, type ControllerModule } from '#controller/controller.ts';
import { sleep } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import { isFinished, isTerminating } from '#apis/core/v1/pod-state.ts';

const everyMs = 20_000;
/** A node's object may be created anew at once; its pods are still there then. */
const quarantineMs = 40_000;
/** kube-controller-manager's own number: the oldest ended pods beyond it go. */
const keptFinished = 12_500;

interface Reach {
  readonly all: readonly Pod[];
  readonly hasNode: (name: string) => boolean;
  readonly keep: number;
}

/** The pods nobody else will ever remove, of those that are there. */
export function garbageIn({ all, hasNode, keep }: Reach): { readonly now: Pod[]; readonly orphans: Pod[] } {
  const bound = (pod: Pod) => (pod.spec?.nodeName ?? '') !== '';
  const finished = all.filter((pod) => isFinished(pod) && !isTerminating(pod));
  const excess = finished
    .toSorted((a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? ''))
    .slice(0, Math.max(0, finished.length - keep));
  const neverStarted = all.filter((pod) => !bound(pod) && isTerminating(pod));
  return { now: [...excess, ...neverStarted], orphans: all.filter((pod) => bound(pod) && !hasNode(pod.spec?.nodeName ?? '')) };
}

/** Removes pods of nodes that are gone, pods deleted before they had a node, and ended pods beyond a number. */
export const podGarbageCollector: ControllerModule = {
  name: 'pod-garbage-collector',
  setup(context) {
    const podInformer = context.informers.of(pods);
    const nodeInformer = context.informers.of(nodes);
    const sweeper = new Sweeper(context);
    return {
      resource: nodes,
      workers: 1,
      reconcile: () => Promise.resolve(done),
      async run(signal) {
        while (!signal.aborted) {
          const hasNode = (name: string) => nodeInformer.get(undefined, name) !== undefined;
          await sweeper.sweep(garbageIn({ all: podInformer.list(), hasNode, keep: keptFinished }));
          await sleep(context.clock, everyMs, signal).catch(() => {});
        }
      },
    };
  },
};

class Sweeper {
  readonly #context: ControllerContext;
  /** Node → since when it is missing. */
  readonly #missing = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  async sweep({ now, orphans }: ReturnType<typeof garbageIn>): Promise<void> {
    const time = this.#context.clock.monotonic();
    const names = new Set(orphans.map((pod) => pod.spec?.nodeName ?? ''));
    for (const name of this.#missing.keys()) if (!names.has(name)) this.#missing.delete(name);
    for (const name of names) if (!this.#missing.has(name)) this.#missing.set(name, time);
    const due = orphans.filter((pod) => time - (this.#missing.get(pod.spec?.nodeName ?? '') ?? time) >= quarantineMs);
    for (const pod of [...now, ...due]) await this.#remove(pod);
  }

  async #remove(pod: Pod): Promise<void> {
    try {
      await deleteObject(this.#context.client.of(pods), pod, { gracePeriodSeconds: 0 });
    } catch (error) {
      this.#context.logger.warn('cannot remove a pod', { pod: objectKey(pod), error: errorText(error) });
    }
  }
}
