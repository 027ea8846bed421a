import { randomInt } from 'node:crypto';
import type { Service } from '#apis/core/v1/service.ts';
import { fieldInvalid, invalid } from '#apis/meta/field-error.ts';
import { StatusError } from '#apis/meta/status.ts';
import type { CachedObject } from '#apiserver/cache/cached-object.ts';
import { resourcePrefix } from '#apiserver/cache/watch-cache.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import type { ServerContext } from '#apiserver/context.ts';

export interface ServiceRanges {
  /** IPv4, e.g. 10.96.0.0/16. */
  readonly cidr: string;
  readonly nodePorts: { readonly from: number; readonly to: number };
}

/**
 * Gives Services their ClusterIP and node ports. What is taken is read off the stored Services, so nothing has to be repaired
 * after a restart; what writes under way have been given is kept besides until the cache shows them.
 */
export function serviceAllocation(context: ServerContext, ranges: ServiceRanges): AdmissionPlugin {
  const allocator = new Allocator(context, ranges);
  return {
    name: 'ServiceAllocation',
    admit(request) {
      const { served, operation, subresource } = request;
      if (served.definition.group !== '' || served.definition.plural !== 'services' || operation === 'delete' || subresource !== '') return;
      allocator.complete(request);
    },
  };
}

class Allocator {
  readonly #context: ServerContext;
  readonly #base: number;
  readonly #size: number;
  readonly #cidr: string;
  readonly #nodePorts: ServiceRanges['nodePorts'];
  readonly #reserved = new Set<string>();
  /** Of each stored state of a Service, so that it is read only once. */
  readonly #holdings = new WeakMap<CachedObject, readonly string[]>();

  constructor(context: ServerContext, { cidr, nodePorts }: ServiceRanges) {
    const [address = '', length = ''] = cidr.split('/');
    this.#context = context;
    this.#cidr = cidr;
    this.#nodePorts = nodePorts;
    this.#size = 2 ** (32 - Number(length));
    this.#base = toNumber(address) - (toNumber(address) % this.#size);
  }

  complete(request: AdmissionRequest): void {
    const service = request.object as Service;
    const used = new Used(() => this.#used(request));
    this.#completeAddress(request, service, used);
    this.#completePorts(request, service, used);
  }

  #completeAddress(request: AdmissionRequest, { spec }: Service, used: Used): void {
    if (spec.type === 'ExternalName') return;
    const given = spec.clusterIP ?? spec.clusterIPs?.[0] ?? '';
    const before = (request.old as Service | undefined)?.spec.clusterIP ?? '';
    // Another one than it has is for validation to refuse.
    if (before !== '' && given !== '' && given !== before) return;
    if (given !== 'None') {
      const address = given === '' ? this.#freeAddress(request, used) : this.#checkAddress(request, given, used);
      this.#reserve(request, address);
      spec.clusterIP = address;
    } else spec.clusterIP = 'None';
    spec.clusterIPs = [spec.clusterIP];
    spec.ipFamilies ??= ['IPv4'];
    spec.ipFamilyPolicy ??= 'SingleStack';
  }

  #completePorts(request: AdmissionRequest, { spec }: Service, used: Used): void {
    const wants = spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
    const taken = new Map<string, number>();
    for (const [index, port] of (spec.ports ?? []).entries()) {
      const protocol = port.protocol ?? 'TCP';
      const given = port.nodePort ?? 0;
      if (given !== 0) this.#checkPort(request, index, given, protocol, used);
      else if (wants) port.nodePort = this.#freePort(request, protocol, used, taken);
      if ((port.nodePort ?? 0) === 0) continue;
      taken.set(`${protocol} ${port.nodePort ?? 0}`, port.nodePort ?? 0);
      this.#reserve(request, `${protocol} ${port.nodePort ?? 0}`);
    }
  }

  /** The first address of the range belongs to the Service of the API server. */
  #freeAddress({ namespace, name }: AdmissionRequest, used: Used): string {
    if (namespace === 'default' && name === 'kubernetes') return toText(this.#base + 1);
    const count = this.#size - 3;
    const start = randomInt(count);
    for (let step = 0; step < count; step += 1) {
      const address = toText(this.#base + 2 + ((start + step) % count));
      if (!this.#isTaken(address, used)) return address;
    }
    throw new StatusError('InternalError', 'failed to allocate a serviceIP: range is full');
  }

  #checkAddress(request: AdmissionRequest, address: string, used: Used): string {
    const offset = toNumber(address) - this.#base;
    const inRange = offset > 0 && offset < this.#size - 1;
    const why = inRange ? 'provided IP is already allocated' : `the provided network does not match the current range (${this.#cidr})`;
    if (inRange && !this.#isTaken(address, used)) return address;
    throw invalid('', 'Service', request.name, [fieldInvalid('spec.clusterIPs', [address], `failed to allocate IP ${address}: ${why}`)]);
  }

  #checkPort(request: AdmissionRequest, index: number, port: number, protocol: string, used: Used): void {
    const { from, to } = this.#nodePorts;
    const inRange = port >= from && port <= to;
    if (inRange && !this.#isTaken(`${protocol} ${port}`, used)) return;
    const why = inRange
      ? 'provided port is already allocated'
      : `provided port is not in the valid range. The range of valid ports is ${from}-${to}`;
    throw invalid('', 'Service', request.name, [fieldInvalid(`spec.ports[${index}].nodePort`, port, why)]);
  }

  #freePort(request: AdmissionRequest, protocol: string, used: Used, taken: ReadonlyMap<string, number>): number {
    const { from, to } = this.#nodePorts;
    const count = to - from + 1;
    const start = randomInt(count);
    for (let step = 0; step < count; step += 1) {
      const port = from + ((start + step) % count);
      const key = `${protocol} ${port}`;
      if (!this.#isTaken(key, used) && !taken.has(key)) return port;
    }
    throw new StatusError('InternalError', `failed to allocate a nodePort for ${request.name}: range is full`);
  }

  #isTaken(key: string, used: Used): boolean {
    return used.has(key) || this.#reserved.has(key);
  }

  #reserve(request: AdmissionRequest, key: string): void {
    if (this.#reserved.has(key)) return;
    this.#reserved.add(key);
    const release = () => this.#reserved.delete(key);
    request.onSettled((written) => {
      if (written) void this.#context.cache.fresh().then(release);
      else release();
    });
  }

  /** Addresses and ports of all Services but the one being written. */
  #used({ namespace, name }: AdmissionRequest): Set<string> {
    const used = new Set<string>();
    for (const cached of this.#context.cache.resource('', 'services').range(resourcePrefix('', 'services'))) {
      if (cached.namespace === namespace && cached.name === name) continue;
      for (const key of this.#holdingsOf(cached)) used.add(key);
    }
    return used;
  }

  #holdingsOf(cached: CachedObject): readonly string[] {
    let holdings = this.#holdings.get(cached);
    if (holdings === undefined) {
      const { clusterIPs = [], ports = [] } = (cached.object as Service).spec;
      const nodePorts = ports.flatMap(({ nodePort, protocol = 'TCP' }) => (nodePort === undefined ? [] : [`${protocol} ${nodePort}`]));
      holdings = [...clusterIPs, ...nodePorts];
      this.#holdings.set(cached, holdings);
    }
    return holdings;
  }
}

/** What other Services hold, gathered when it is first asked for: a headless Service without node ports never asks. */
class Used {
  readonly #gather: () => ReadonlySet<string>;
  #keys: ReadonlySet<string> | undefined;

  constructor(gather: () => ReadonlySet<string>) {
    this.#gather = gather;
  }

  has(key: string): boolean {
    this.#keys ??= this.#gather();
    return this.#keys.has(key);
  }
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
