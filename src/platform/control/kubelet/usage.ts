import { json } from 'node:stream/consumers';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { matchesLabels } from '#apis/meta/label-selector.ts';
import type { ObjectMeta } from '#apis/meta/object.ts';
import { notFound, StatusError } from '#apis/meta/status.ts';
import type { NodeMetrics, PodMetrics } from '#apis/metrics/v1beta1/usage.ts';
import type { ApiRequest, ApiResponse, RawRoute } from '#apiserver/request.ts';
import type { Client } from '#client/client.ts';
import type { Logger } from '#core/logger.ts';
import { parseLabelSelector } from '#machinery/selectors.ts';
import { refusal, type KubeletClient } from '#platform/control/kubelet/kubelet-client.ts';

interface Measure {
  readonly time: string;
  readonly usageNanoCores?: number;
  readonly workingSetBytes?: number;
}
/** The part of kubelet's stats/v1alpha1 Summary that is read here. */
interface Summary {
  readonly node: { readonly cpu: Measure; readonly memory: Measure };
  readonly pods: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string; readonly uid: string };
    readonly containers: readonly { readonly name: string; readonly cpu: Measure; readonly memory: Measure }[];
  }[];
}

const prefix = '/apis/metrics.k8s.io/v1beta1/';
const window = '10s';

/** `metrics.k8s.io`: what nodes and pods use, asked of the kubelets for each request. A node that does not answer has none. */
export function usageRoute(kubelet: KubeletClient, client: Client, logger: Logger): RawRoute {
  const usage = new Usage(kubelet, client, logger);
  return { path: prefix, methods: ['GET', 'HEAD'], asResource: true, handle: (request) => usage.answer(request) };
}

class Usage {
  readonly #kubelet: KubeletClient;
  readonly #client: Client;
  readonly #logger: Logger;

  constructor(kubelet: KubeletClient, client: Client, logger: Logger) {
    this.#kubelet = kubelet;
    this.#client = client;
    this.#logger = logger;
  }

  async answer({ path, query, signal }: ApiRequest): Promise<ApiResponse> {
    const segments = path.slice(prefix.length).replace(/\/$/, '').split('/').map(decodeURIComponent);
    const selector = parseLabelSelector(query.get('labelSelector') ?? '');
    const isSelected = ({ metadata }: { metadata: ObjectMeta }) => matchesLabels(selector, metadata.labels);
    const [first = '', second = '', third = '', fourth = '', ...more] = segments;
    if (first === 'nodes' && third === '') {
      const found = await this.#nodes(signal, second);
      return second === '' ? list('NodeMetrics', found.filter(isSelected)) : one(found[0], 'nodes', second);
    }
    if (first === 'pods' && second === '') return list('PodMetrics', (await this.#pods(signal)).filter(isSelected));
    if (first !== 'namespaces' || third !== 'pods' || more.length > 0) {
      throw new StatusError('NotFound', 'the server could not find the requested resource');
    }
    const found = await this.#pods(signal, second, fourth);
    return fourth === '' ? list('PodMetrics', found.filter(isSelected)) : one(found[0], 'pods', fourth);
  }

  async #nodes(signal: AbortSignal, name: string): Promise<NodeMetrics[]> {
    const measured = await this.#measure(signal, name);
    return measured.map(({ node, summary }) => ({
      ...head('NodeMetrics', node.metadata),
      timestamp: seconds(summary.node.cpu.time),
      window,
      usage: usageOf(summary.node),
    }));
  }

  async #pods(signal: AbortSignal, namespace?: string, name = ''): Promise<PodMetrics[]> {
    const [measured, { items }] = await Promise.all([
      this.#measure(signal, ''),
      this.#client.of(pods).list(namespace === undefined ? {} : { namespace }),
    ]);
    const known = new Map(items.map((pod) => [pod.metadata.uid, pod as Pod]));
    return measured.flatMap(({ summary }) =>
      summary.pods.flatMap(({ podRef, containers }) => {
        const pod = known.get(podRef.uid);
        const first = containers[0];
        if (pod === undefined || first === undefined || (name !== '' && podRef.name !== name)) return [];
        return {
          ...head('PodMetrics', pod.metadata),
          timestamp: seconds(first.cpu.time),
          window,
          containers: containers.map((container) => ({ name: container.name, usage: usageOf(container) })),
        };
      }),
    );
  }

  async #measure(signal: AbortSignal, name: string): Promise<{ node: Node; summary: Summary }[]> {
    const { items } = await this.#client.of(nodes).list(name === '' ? {} : { fieldSelector: `metadata.name=${name}` });
    const measured = await Promise.all(
      items.map(async (node) => {
        try {
          return { node, summary: await this.#summary(node.metadata.name ?? '', signal) };
        } catch (error) {
          this.#logger.warn('node gives no statistics', { node: node.metadata.name, error });
          return undefined;
        }
      }),
    );
    return measured.filter((each) => each !== undefined);
  }

  async #summary(nodeName: string, signal: AbortSignal): Promise<Summary> {
    const response = await this.#kubelet.send(nodeName, { method: 'GET', path: '/stats/summary', signal });
    if (response.statusCode !== 200) throw await refusal(response);
    return (await json(response)) as Summary;
  }
}

function head(kind: string, { name = '', namespace, labels, creationTimestamp }: ObjectMeta) {
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(labels === undefined ? {} : { labels }),
  };
  return { kind, apiVersion: 'metrics.k8s.io/v1beta1', metadata };
}

/** Units as metrics-server writes them: billionths of a core, and KiB. */
function usageOf({ cpu, memory }: { readonly cpu: Measure; readonly memory: Measure }): { cpu: string; memory: string } {
  return { cpu: `${Math.round(cpu.usageNanoCores ?? 0)}n`, memory: `${Math.round((memory.workingSetBytes ?? 0) / 1024)}Ki` };
}

function seconds(time: string): string {
  return `${time.slice(0, 19)}Z`;
}

function one(object: NodeMetrics | PodMetrics | undefined, plural: string, name: string): ApiResponse {
  if (object === undefined) throw notFound('metrics.k8s.io', plural, name);
  return { status: 200, headers: {}, body: { kind: 'object', object, contentType: 'application/json' } };
}

function list(kind: string, items: readonly object[]): ApiResponse {
  const object = { kind: `${kind}List`, apiVersion: 'metrics.k8s.io/v1beta1', metadata: {}, items };
  return { status: 200, headers: {}, body: { kind: 'object', object, contentType: 'application/json' } };
}
