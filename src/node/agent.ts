import { mkdir, readFile } from 'node:fs/promises';
import { nodes } from '#apis/core/v1/node.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { services, type Service } from '#apis/core/v1/service.ts';
import { endpointSlices, type EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { clusterDomain, directoryProvisioner } from '#apis/dormouse/names.ts';
import type { Engine } from '#apis/runtime/engine.ts';
import type { ImageService } from '#apis/runtime/image-service.ts';
import type { Client } from '#client/client.ts';
import { createInformers } from '#client/informer.ts';
import type { Informer } from '#client/informer-types.ts';
import { runControllers } from '#controller/runner.ts';
import { createEventRecorder } from '#controller/events.ts';
import { systemClock, type Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { Metrics } from '#core/metrics.ts';
import { ApiSources } from '#node/api-sources.ts';
import { startClusterDns } from '#node/dns/cluster-dns.ts';
import type { DialOutbound } from '#node/dns/upstream.ts';
import { parseResolvConf, type DnsSettings } from '#node/engine-provider/dns-settings.ts';
import { hostSocketsOf } from '#node/engine-provider/host-ports.ts';
import { EngineProvider } from '#node/engine-provider/engine-provider.ts';
import { indexByService } from '#node/services/service-fronts.ts';
import { keptByNode } from '#node/kept.ts';
import { startKubeletServer, type KubeletServerSettings } from '#node/kubelet-server/server.ts';
import { podEvents } from '#node/pod-events.ts';
import { followWakeCalls } from '#node/pods/wake-calls.ts';
import { refusalUnder } from '#node/pods/admission.ts';
import { PodController } from '#node/pods/pod-controller.ts';
import { DiskKeeper } from '#node/pressure/disk-keeper.ts';
import { StorageLimits } from '#node/pressure/storage-limits.ts';
import { inspectMachine, inspectPressure, type Pressure } from '#node/registration/machine.ts';
import { directoryProvisionerModules } from '#node/provisioner/directory-provisioner.ts';
import type { NodeSettings } from '#node/registration/node-object.ts';
import type { ProviderCapabilities } from '#node/provider.ts';
import { NodeRegistration } from '#node/registration/node-registration.ts';
import { isWildcard, type HostServices } from '#node/services/service-fronts.ts';
import { startServiceProxy } from '#node/services/service-proxy.ts';
import type { NodeFacts } from '#node/sources.ts';

export interface NodeAgentOptions {
  readonly client: Client;
  readonly engine: Engine;
  readonly images: ImageService;
  readonly nodeName: string;
  readonly kubeletServer: KubeletServerSettings;
  /** Pods' volumes, logs and records. */
  readonly dataDirectory: string;
  /** Persistent volumes that are made here. */
  readonly volumesDirectory: string;
  /** Short and unique on this machine: names the nft table of this platform. */
  readonly platformId: string;
  /** Address of the platform's public listeners; node ports are open to other machines where these are. */
  readonly listen: string;
  /** False in a network namespace of the platform's own: what the kernel does for Services there, the machine's processes do not meet. */
  readonly hasHostNetwork: boolean;
  /** A process in the machine's own network, where the agent is in another: whose ports pods cannot have is seen there. */
  readonly hostProcess: number;
  /** Makes TCP connections from the machine's network, where the agent is in one of its own: to the machine's DNS servers. */
  readonly dialOutbound?: DialOutbound;
  /** Services that stand for a process of this machine. */
  readonly hostServices: HostServices;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** A running agent; disposing of it leaves the pods' containers running for the next one. */
export interface NodeAgent extends AsyncDisposable {
  readonly kubeletPort: number;
  /** What does not work here and why, for `dormouse status`. */
  readonly remarks: readonly string[];
}

/**
 * Starts the node agent: kubelet API first, then what earlier agents left is taken over, then the node is reported Ready.
 * Resolves when the node is registered. Rejects when the kubelet's port cannot be had. `signal` is the agent's life: aborting it ends
 * watching and heartbeats (dispose as well, to close what listens).
 */
export async function startNodeAgent(options: NodeAgentOptions, signal: AbortSignal): Promise<NodeAgent> {
  const { client, engine, logger, dataDirectory, nodeName } = options;
  const clock = systemClock;
  const stack = new AsyncDisposableStack();
  const life = new AbortController();
  const agentSignal = AbortSignal.any([signal, life.signal]);
  try {
    await mkdir(dataDirectory, { recursive: true });
    const machine = await inspectMachine(dataDirectory);
    const informers = stack.use(createInformers(client, { clock, logger, keep: keptByNode }));
    const podInformer = informers.of(pods, { fieldSelector: `spec.nodeName=${nodeName}` });
    const nodeInformer = informers.of(nodes, { fieldSelector: `metadata.name=${nodeName}` });
    const serviceInformer = informers.of(services);
    const sliceInformer = informers.of(endpointSlices);
    indexByService(sliceInformer);
    const recorder = createEventRecorder({ client, component: 'kubelet', instance: nodeName, clock, logger });
    const events = podEvents(recorder);
    const sources = stack.use(new ApiSources({ client, services: serviceInformer, clock, logger }));
    const hostDns = await readHostDns();
    const podNetwork = engine.capabilities.podNetwork;
    const remarks: string[] = [...engine.capabilities.remarks];
    const facts: NodeFacts = {
      name: nodeName,
      hostIps: [machine.internalIp],
      clusterDns: podNetwork === undefined ? [] : [podNetwork.bridgeIp],
      clusterDomain,
      allocatable: { cpuMillis: machine.cpuCount * 1000, memoryBytes: machine.memoryBytes, ephemeralStorageBytes: machine.diskBytes },
    };
    const provider = new EngineProvider({
      engine,
      images: options.images,
      sources,
      events,
      node: () => facts,
      hostDns: () => hostDns,
      hostSockets: () => hostSocketsOf(options.hostProcess),
      dataDirectory,
      clock,
      logger,
    });
    const shared = { client, provider, pods: podInformer, clock, logger };
    const server = stack.use(await startKubeletServer({ ...shared, settings: options.kubeletServer, nodeName, metrics: options.metrics }));
    await informers.start(agentSignal);
    const network = { services: serviceInformer, endpointSlices: sliceInformer, pods: podInformer, clock, logger };
    const networkServices = await startNetworkServices(options, network, hostDns, remarks);
    for (const service of networkServices.started) stack.use(service);
    // Events name a node by its name, as kubelets do, whatever its uid.
    const nodeRef = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName, uid: nodeName } };
    const event = (type: 'Normal' | 'Warning', reason: string, message: string) => recorder.event(nodeRef, type, reason, message);
    const disk = stack.use(new DiskKeeper({ directory: dataDirectory, images: options.images, pods: provider, event, clock, logger }));
    stack.use(new StorageLimits({ pods: provider, clock, logger }));
    let seen: Pressure | undefined;
    const pressure = async () => (seen = { ...(await inspectPressure()), disk: await disk.look() });
    const controller = stack.use(new PodController({ ...shared, events, refusal: (pod) => refusalUnder(seen, pod) }));
    await controller.start();
    const wakeCalls = followWakeCalls({ client, clock, logger, wake: (key) => controller.wake(key) }, agentSignal);
    const settings = nodeSettings(options, server.port, provider.capabilities, networkServices.servesServices);
    const health = () => engine.list().then(() => undefined);
    const registration = new NodeRegistration({ client, clock, logger, machine, health, settings, pressure, event });
    await registration.register(agentSignal);
    stack.defer(
      nodeInformer.on((event) => {
        if (event.type === 'deleted') registration.poke();
      }),
    );
    const heartbeat = registration.run(agentSignal);
    const volumes = provideVolumes(options, clock, agentSignal);
    stack.defer(async () => {
      life.abort(new Error('the node agent is ending'));
      await Promise.all([heartbeat, wakeCalls, volumes]);
    });
    const owned = stack.move();
    return { kubeletPort: server.port, remarks, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  } catch (error) {
    life.abort(error);
    await stack.disposeAsync();
    throw error;
  }
}

/** Volumes for the claims that ask for them here. */
async function provideVolumes(
  { client, logger, nodeName, volumesDirectory }: NodeAgentOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await using informers = createInformers(client, { clock, logger });
  const events = createEventRecorder({ client, component: directoryProvisioner, instance: nodeName, clock, logger });
  const modules = directoryProvisionerModules({ nodeName, directory: volumesDirectory });
  await runControllers({ client, informers, events, clock, logger }, modules, signal);
}

function nodeSettings(
  options: NodeAgentOptions,
  kubeletPort: number,
  provider: ProviderCapabilities,
  servesServices: boolean,
): NodeSettings {
  const { engine, nodeName, kubeletServer, hasHostNetwork } = options;
  const { podNetwork } = engine.capabilities;
  return {
    nodeName,
    kubeletPort,
    // On a wildcard address it is reached at the machine's own; elsewhere only where it listens.
    ...(isWildcard(kubeletServer.host) ? {} : { kubeletDial: `tcp:${kubeletServer.host}:${kubeletPort}` }),
    provider,
    ...(podNetwork === undefined
      ? {}
      : { podNetwork: { bridgeIp: podNetwork.bridgeIp, cidr: podNetwork.cidr, servesHost: servesServices && hasHostNetwork } }),
  };
}

/** Cluster DNS and service addresses, where this machine can have them; what cannot be had is added to `remarks`. */
async function startNetworkServices(
  { engine, platformId, listen, hostServices, dialOutbound }: NodeAgentOptions,
  inputs: { services: Informer<Service>; endpointSlices: Informer<EndpointSlice>; pods: Informer<Pod>; clock: Clock; logger: Logger },
  hostDns: DnsSettings,
  remarks: string[],
): Promise<{ started: readonly AsyncDisposable[]; servesServices: boolean }> {
  const { podNetwork } = engine.capabilities;
  if (podNetwork === undefined) return { started: [], servesServices: false };
  const started: AsyncDisposable[] = [];
  const attempt = async (start: () => Promise<AsyncDisposable>, failure: string) => {
    try {
      started.push(await start());
      return true;
    } catch (error) {
      inputs.logger.warn(failure, { error });
      remarks.push(`${failure}: ${errorText(error)}`);
      return false;
    }
  };
  const outside = dialOutbound === undefined ? {} : { dialOutbound };
  const dns = { address: podNetwork.bridgeIp, upstream: hostDns.nameservers, clusterDomain, ...outside };
  await attempt(() => startClusterDns({ ...inputs, ...dns }), 'cluster DNS does not run');
  const settings = { table: `dormouse-${platformId}`, podNetwork, listen, hostServices };
  const servesServices = await attempt(() => startServiceProxy({ ...inputs, ...settings }), 'ClusterIPs cannot be reached');
  return { started, servesServices };
}

async function readHostDns(): Promise<DnsSettings> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return parseResolvConf(text);
}
