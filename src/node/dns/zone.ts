import type { Service } from '#apis/core/v1/service.ts';
import type { Endpoint, EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { objectKey } from '#apis/meta/object.ts';
import type { Lister } from '#client/informer-types.ts';
import { encodeName, recordTypes, responseCodes, type Answer, type DnsRecord, type Question } from '#node/dns/message.ts';
import { byService } from '#node/services/service-fronts.ts';

export interface ZoneOptions {
  readonly services: Lister<Service>;
  /** With the index `byService`. */
  readonly endpointSlices: Lister<EndpointSlice>;
  readonly clusterDomain: string;
}

/** What the cluster's zone says to a question; `alias`: the name is an alias of one outside the zone, to be looked up there. */
export type ZoneAnswer = Answer & { readonly alias?: string };

const ttlSeconds = 5;

/**
 * The cluster's DNS zone, straight from the API objects (Kubernetes DNS specification 1.1.0): services, headless services
 * and their pods, SRV for named ports, pods by address. Undefined for names outside the zone.
 */
export class ClusterZone {
  readonly #options: ZoneOptions;
  readonly #zone: string;

  constructor(options: ZoneOptions) {
    this.#options = options;
    this.#zone = options.clusterDomain.toLowerCase();
  }

  answer(question: Question): ZoneAnswer | undefined {
    if (question.name !== this.#zone && !question.name.endsWith(`.${this.#zone}`)) return this.#reverse(question);
    const labels = question.name
      .slice(0, -this.#zone.length)
      .split('.')
      .filter((label) => label !== '');
    const [kind, namespace, ...rest] = labels.toReversed();
    if (kind === undefined || ((kind === 'svc' || kind === 'pod') && namespace === undefined)) return this.#found(question, []);
    if (kind === 'pod' && namespace !== undefined) return this.#pod(question, namespace, rest);
    if (kind !== 'svc' || namespace === undefined) return this.#missing();
    if (rest.length === 0) return this.#options.services.list(namespace).length > 0 ? this.#found(question, []) : this.#missing();
    const service = this.#options.services.get(namespace, rest[0] ?? '');
    return service === undefined ? this.#missing() : this.#service(question, service, rest.slice(1).toReversed());
  }

  #service(question: Question, service: Service, prefix: readonly string[]): ZoneAnswer {
    const { name } = question;
    const { type, externalName = '', clusterIP = '' } = service.spec ?? {};
    if (type === 'ExternalName') {
      if (prefix.length > 0) return this.#missing();
      const target = externalName.replace(/\.$/, '').toLowerCase();
      const cname: DnsRecord = { name, type: recordTypes.CNAME, ttlSeconds, data: encodeName(target) };
      const inside = question.type === recordTypes.CNAME ? undefined : this.answer({ ...question, name: target });
      if (inside !== undefined) return { ...inside, answers: [cname, ...inside.answers] };
      return { code: responseCodes.noError, answers: [cname], authority: [], alias: target };
    }
    const isHeadless = clusterIP === 'None';
    if (prefix.length === 2 && prefix[0]?.startsWith('_') === true) return this.#srv(question, service, prefix);
    if (prefix.length > 1) return this.#missing();
    if (!isHeadless) return prefix.length === 0 && clusterIP !== '' ? this.#found(question, [address(name, clusterIP)]) : this.#missing();
    const endpoints = this.#endpoints(service).filter((one) => prefix.length === 0 || hostOf(one) === prefix[0]);
    if (endpoints.length === 0) return this.#missing();
    return this.#found(
      question,
      endpoints.map((one) => address(name, one.addresses[0] ?? '')),
    );
  }

  #srv(question: Question, service: Service, [port = '', protocol = '']: readonly string[]): ZoneAnswer {
    const base = `${service.metadata.name}.${service.metadata.namespace}.svc.${this.#zone}`;
    const isNamed = (name: string | undefined, kind: string | undefined) =>
      `_${name ?? ''}`.toLowerCase() === port && `_${(kind ?? 'TCP').toLowerCase()}` === protocol;
    if (service.spec?.clusterIP !== 'None') {
      const found = service.spec?.ports?.find((one) => isNamed(one.name, one.protocol));
      return found === undefined ? this.#missing() : this.#found(question, [srv(question.name, found.port, base)]);
    }
    const records = this.#slices(service).flatMap((slice) => {
      const found = slice.ports?.find((one) => isNamed(one.name, one.protocol))?.port;
      if (found === undefined) return [];
      return readyEndpoints(slice, service).map((one) => srv(question.name, found, `${hostOf(one)}.${base}`));
    });
    return records.length === 0 ? this.#missing() : this.#found(question, records);
  }

  #pod(question: Question, namespace: string, rest: readonly string[]): ZoneAnswer {
    const ip = rest.length === 1 ? (rest[0] ?? '').replaceAll('-', '.') : '';
    if (rest.length === 0) return this.#found(question, []);
    return namespace !== '' && isIPv4(ip) ? this.#found(question, [address(question.name, ip)]) : this.#missing();
  }

  /** ClusterIPs back to names; other addresses are left to the upstream server. */
  #reverse(question: Question): ZoneAnswer | undefined {
    const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(question.name);
    if (match === null) return undefined;
    const ip = match.slice(1).toReversed().join('.');
    const service = this.#options.services.list().find((one) => one.spec?.clusterIP === ip);
    if (service === undefined) return undefined;
    const target = `${service.metadata.name}.${service.metadata.namespace}.svc.${this.#zone}`;
    return this.#found(question, [{ name: question.name, type: recordTypes.PTR, ttlSeconds, data: encodeName(target) }]);
  }

  #slices(service: Service): readonly EndpointSlice[] {
    return this.#options.endpointSlices.byIndex(byService, objectKey(service));
  }

  #endpoints(service: Service): readonly Endpoint[] {
    return this.#slices(service).flatMap((slice) => readyEndpoints(slice, service));
  }

  /** The name exists: its records of the type that was asked for, which may be none. */
  #found(question: Question, records: readonly DnsRecord[]): ZoneAnswer {
    const answers = records.filter((one) => one.type === question.type || question.type === recordTypes.ANY);
    return { code: responseCodes.noError, answers, authority: answers.length === 0 ? [this.#soa()] : [] };
  }

  #missing(): ZoneAnswer {
    return { code: responseCodes.nameError, answers: [], authority: [this.#soa()] };
  }

  #soa(): DnsRecord {
    const numbers = Buffer.alloc(20);
    // Serial, refresh, retry, expire, and how long "there is none" may be remembered.
    for (const [index, value] of [1, 7200, 1800, 86_400, ttlSeconds].entries()) numbers.writeUInt32BE(value, index * 4);
    const data = Buffer.concat([encodeName(`ns.dns.${this.#zone}`), encodeName(`hostmaster.${this.#zone}`), numbers]);
    return { name: this.#zone, type: recordTypes.SOA, ttlSeconds, data };
  }
}

function readyEndpoints(slice: EndpointSlice, service: Service): readonly Endpoint[] {
  const all = service.spec?.publishNotReadyAddresses === true;
  return (slice.endpoints ?? []).filter((one) => isIPv4(one.addresses[0] ?? '') && (all || one.conditions?.ready !== false));
}

/** A pod's own label below its headless service: its hostname, else its address with dashes. */
function hostOf(endpoint: Endpoint): string {
  const { hostname, addresses } = endpoint;
  return hostname !== undefined && hostname !== '' ? hostname.toLowerCase() : (addresses[0] ?? '').replaceAll('.', '-');
}

function address(name: string, ip: string): DnsRecord {
  return { name, type: recordTypes.A, ttlSeconds, data: Buffer.from(ip.split('.').map(Number)) };
}

function srv(name: string, port: number, target: string): DnsRecord {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(0, 0);
  head.writeUInt16BE(100, 2);
  head.writeUInt16BE(port, 4);
  return { name, type: recordTypes.SRV, ttlSeconds, data: Buffer.concat([head, encodeName(target)]) };
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}
