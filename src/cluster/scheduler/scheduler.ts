import { nodes, type Node } from '#apis/core/v1/node.ts';
import { namespaces, type Namespace } from '#apis/core/v1/namespace.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { schedulerName } from '#apis/dormouse/names.ts';
import { objectKey } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { isFinished, isTerminating } from '#apis/core/v1/pod-state.ts';
import { BetweenPods, dependsOnPods, type Surroundings } from '#cluster/scheduler/between-pods.ts';
import { filters, preference } from '#cluster/scheduler/filters.ts';
import { NodeUsage } from '#cluster/scheduler/node-usage.ts';
import { leastHarm, Preemption, priorityOf, victimsOn } from '#cluster/scheduler/preemption.ts';
import { refusalText, type NodeRefusal, type Preempting } from '#cluster/scheduler/refusal.ts';
import { allocatableOf, requestsOf, shortages, type Amounts } from '#cluster/scheduler/resources.ts';
import { VolumeView, type PodVolumes } from '#cluster/scheduler/volumes.ts';
import { WaitingPods } from '#cluster/scheduler/waiting-pods.ts';

const noFreePorts = "node(s) didn't have free ports for the requested pod ports";
/** Whatever nobody thought of is tried again this often, as kube-scheduler does. */
const retryMs = 300_000;

/** Pod without a node → binding to one that has room and that it may run on; else `FailedScheduling` and PodScheduled False. */
export const schedulerController: ControllerModule<Pod> = {
  name: schedulerName,
  setup(context, enqueue) {
    const podInformer = context.informers.of(pods);
    const nodeInformer = context.informers.of(nodes);
    const usage = new NodeUsage();
    const waiting = new WaitingPods(context.clock, (key) => enqueue.key(key));
    const volumes = new VolumeView(context, () => waiting.wake());
    const scheduler = new Scheduler(context, nodeInformer, usage, waiting, volumes);
    nodeInformer.on((event) => {
      if (event.type === 'added' || (event.type === 'updated' && changedForPods(event.old, event.object))) waiting.wake();
    });
    podInformer.on(({ type, object }) => {
      const key = objectKey(object);
      const node = object.spec?.nodeName ?? '';
      if (type === 'deleted') scheduler.forget(key);
      else scheduler.nominate(key, object);
      if (type !== 'deleted' && node === '') return;
      const ended = type === 'deleted' || isFinished(object);
      if (!ended) {
        const news = !usage.has(key) || usage.refresh(key, object);
        if (!usage.has(key)) usage.put(key, node, object);
        if (news) scheduler.podPlaced();
      }
      if (!ended || !usage.has(key)) return;
      usage.remove(key);
      waiting.wake();
    });
    // One at a time: two decisions at once could take the same room.
    return { resource: pods, workers: 1, isUrgent: true, reconcile: (pod) => scheduler.schedule(pod) };
  },
};

const nobody: ReadonlySet<string> = new Set();

/** Heartbeats change nothing a pod could wait for. */
function changedForPods(old: Node, node: Node): boolean {
  const facts = ({ metadata, spec, status }: Node) => [metadata.labels, spec, status?.allocatable, status?.capacity];
  return !semanticEqual(facts(old), facts(node));
}

class Scheduler {
  readonly #context: ControllerContext;
  readonly #nodes: Informer<Node>;
  readonly #usage: NodeUsage;
  readonly #waiting: WaitingPods;
  readonly #namespaces: Informer<Namespace>;
  readonly #volumes: VolumeView;
  /** Waiting pods whose place depends on other pods': a placed pod may help them. */
  readonly #waitingForPods = new Set<string>();
  readonly #preemption: Preemption;
  /** Pods that others have made room for and that have no place yet. */
  readonly #nominated = new Map<string, Pod>();

  constructor(context: ControllerContext, nodeInformer: Informer<Node>, usage: NodeUsage, waiting: WaitingPods, volumes: VolumeView) {
    this.#context = context;
    this.#nodes = nodeInformer;
    this.#usage = usage;
    this.#waiting = waiting;
    this.#namespaces = context.informers.of(namespaces);
    this.#volumes = volumes;
    this.#preemption = new Preemption(context);
  }

  forget(key: string): void {
    this.#waiting.remove(key);
    this.#waitingForPods.delete(key);
    this.#nominated.delete(key);
  }

  nominate(key: string, pod: Pod): void {
    const isWaiting = (pod.status?.nominatedNodeName ?? '') !== '' && (pod.spec?.nodeName ?? '') === '' && !isTerminating(pod);
    if (isWaiting) this.#nominated.set(key, pod);
    else this.#nominated.delete(key);
  }

  podPlaced(): void {
    if (this.#waitingForPods.size > 0) this.#waiting.wake();
  }

  async schedule(pod: Pod): Promise<Outcome> {
    const key = objectKey(pod);
    this.#waitingForPods.delete(key);
    if ((pod.spec?.nodeName ?? '') !== '' || pod.metadata.deletionTimestamp !== undefined || isFinished(pod)) {
      this.#waiting.remove(key);
      return done;
    }
    // Bound by us, and not yet seen bound.
    if (this.#usage.has(key)) return done;
    if ((pod.spec?.schedulerName ?? schedulerName) !== schedulerName || (pod.spec?.schedulingGates ?? []).length > 0) return done;
    const volumes = this.#volumes.of(pod);
    const { chosen, refusals } = this.#choose(pod, volumes);
    if (chosen !== undefined && (await this.#volumes.settle(volumes, chosen))) {
      this.#waiting.remove(key);
      await this.#bind(pod, key, chosen);
      return done;
    }
    this.#waiting.add(key);
    // Its volumes are being made for that node: when they are there it comes again.
    if (chosen !== undefined) return done;
    if (dependsOnPods(pod)) this.#waitingForPods.add(key);
    const preempting = await this.#preempt(pod, key, volumes, refusals);
    this.#refuse(pod, refusalText(pod, [...refusals.values()], volumes.problem, preempting));
    return requeue(retryMs);
  }

  /** Looks for less important pods in whose place the pod could run, and ends them. */
  async #preempt(pod: Pod, key: string, volumes: PodVolumes, refusals: ReadonlyMap<Node, NodeRefusal>): Promise<Preempting> {
    if (pod.spec?.preemptionPolicy === 'Never') return 'tried in vain';
    const nominated = pod.status?.nominatedNodeName ?? '';
    const isGoing = (one: Pod) => isTerminating(one) && priorityOf(one) < priorityOf(pod);
    if (nominated !== '' && this.#usage.podsOn(nominated).some(isGoing)) return 'waits for the end of others';
    const crowded = [...refusals].filter(([, { isCrowded }]) => isCrowded).map(([node]) => node);
    const budgets = this.#preemption.budgets();
    const candidates = crowded.flatMap((node) => {
      const name = node.metadata.name ?? '';
      const fits = (without: ReadonlySet<string>) => this.#fits(pod, node, volumes, without);
      return victimsOn(pod, name, this.#usage.podsOn(name), fits, budgets) ?? [];
    });
    const best = leastHarm(candidates);
    if (best === undefined) {
      delete pod.status?.nominatedNodeName;
      return 'tried in vain';
    }
    pod.status = { ...pod.status, nominatedNodeName: best.node };
    this.#nominated.set(key, pod);
    await this.#preemption.carryOut(pod, best);
    return 'under way';
  }

  #fits(pod: Pod, node: Node, volumes: PodVolumes, without: ReadonlySet<string>): boolean {
    const surroundings = this.#surroundings(pod);
    const placed = surroundings.placed.filter((one) => !without.has(objectKey(one.pod)));
    return this.#judge(pod, node, requestsOf(pod), new BetweenPods(pod, { ...surroundings, placed }), volumes, without) === undefined;
  }

  #choose(pod: Pod, volumes: PodVolumes): { chosen: string | undefined; refusals: ReadonlyMap<Node, NodeRefusal> } {
    const refusals = new Map<Node, NodeRefusal>();
    const wanted = requestsOf(pod);
    const others = new BetweenPods(pod, this.#surroundings(pod));
    let best: { name: string; score: number } | undefined;
    for (const node of this.#nodes.list()) {
      const used = this.#usage.on(node.metadata.name ?? '');
      const allocatable = allocatableOf(node);
      const refusal = this.#judge(pod, node, wanted, others, volumes);
      if (refusal !== undefined) {
        refusals.set(node, refusal);
        continue;
      }
      const cpu = allocatable.get('cpu') ?? 0n;
      const cpuTaken = (used.get('cpu') ?? 0n) + (wanted.get('cpu') ?? 0n);
      const cpuLeft = cpu === 0n ? 0 : Number(cpu - cpuTaken) / Number(cpu);
      const liked = preference(pod.spec?.affinity, node) + others.points(node);
      const score = liked * 100 + cpuLeft * 50 - Number((used.get('pods') ?? 0n) / 1_000_000_000n);
      if (best === undefined || score > best.score) best = { name: node.metadata.name ?? '', score };
    }
    return { chosen: best?.name, refusals };
  }

  #judge(
    pod: Pod,
    node: Node,
    wanted: Amounts,
    others: BetweenPods,
    volumes: PodVolumes,
    without: ReadonlySet<string> = nobody,
  ): NodeRefusal | undefined {
    if (volumes.problem !== undefined) return { problems: [], isCrowded: false };
    const name = node.metadata.name ?? '';
    const unfit = filters.map((filter) => filter(pod, node)).find((reason) => reason !== undefined) ?? this.#volumes.refusal(volumes, node);
    if (unfit !== undefined) return { problems: [unfit], isCrowded: false };
    const allocatable = allocatableOf(node);
    const coming = this.#coming(name, pod);
    const problems = shortages(wanted, this.#usage.onIf(name, coming, without), allocatable);
    if (this.#usage.portsTaken(name, pod, coming, without)) problems.unshift(noFreePorts);
    const unsuited = others.refusal(node);
    if (unsuited !== undefined) return unsuited;
    const placed = volumes.exclusive.length === 0 ? [] : this.#usage.podsOn(name).filter((one) => !without.has(objectKey(one)));
    const inUse = this.#volumes.conflict(pod, volumes, placed);
    if (inUse !== undefined) problems.push(inUse);
    return problems.length === 0 ? undefined : { problems, isCrowded: shortages(wanted, new Map(), allocatable).length === 0 };
  }

  /** Room on the node that was made for others, as important as the pod or more so, is not its. */
  #coming(node: string, pod: Pod): readonly Pod[] {
    if (this.#nominated.size === 0) return [];
    const key = objectKey(pod);
    const isBefore = ([name, other]: [string, Pod]) =>
      name !== key && !this.#usage.has(name) && other.status?.nominatedNodeName === node && priorityOf(other) >= priorityOf(pod);
    return [...this.#nominated].filter(isBefore).map(([, other]) => other);
  }

  #surroundings(pod: Pod): Surroundings {
    return {
      nodes: this.#nodes.list(),
      placed: this.#usage.placed(dependsOnPods(pod) ? 'all' : 'keeping others away'),
      namespaceLabels: (name) => this.#namespaces.get(undefined, name)?.metadata.labels,
    };
  }

  async #bind(pod: Pod, key: string, node: string): Promise<void> {
    const { namespace = '', name = '', uid } = pod.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    this.#usage.put(key, node, pod);
    try {
      await this.#context.client.of(pods).createSubresource(namespace, name, 'binding', binding);
      this.#context.events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
    } catch (error) {
      this.#usage.remove(key);
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
    }
  }

  #refuse(pod: Pod, message: string): void {
    const status = (pod.status ??= {});
    const before = status.conditions?.find(({ type }) => type === 'PodScheduled');
    status.conditions = withCondition(
      status.conditions,
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
      timestamp(this.#context.clock),
    );
    if (before?.message !== message) this.#context.events.event(pod, 'Warning', 'FailedScheduling', message);
  }
}
