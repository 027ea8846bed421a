import { createHash } from 'node:crypto';

/** An IPv4 network of 16 bits: `10.n.0.0/16`. The bridge has `.0.1`; pods get the rest. */
export interface PodCidr {
  readonly cidr: string;
  readonly bridgeIp: string;
  readonly prefixLength: number;
  readonly base: number;
  readonly size: number;
}

export function parseIp(ip: string): number {
  return ip.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

function formatIp(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/**
 * A network for the platform `id` that overlaps none of the routes: 10.64.0.0–10.191.0.0 tried from a place that the id's hash names,
 * so that two platforms on a machine rarely try the same and one platform keeps its own.
 */
export function choosePodCidr(id: string, routes: readonly { readonly base: number; readonly prefixLength: number }[]): PodCidr {
  const start = createHash('sha256').update(id).digest().readUInt16BE(0);
  for (let attempt = 0; attempt < 128; attempt++) {
    const base = parseIp('10.0.0.0') + (64 + ((start + attempt) % 128)) * 65_536;
    if (!routes.some((route) => overlaps(base, 16, route.base, route.prefixLength))) return podCidr(base, 16);
  }
  throw new Error('no free network 10.64–10.191.0.0/16 for pods: every one overlaps a route of this machine');
}

export function podCidr(base: number, prefixLength: number): PodCidr {
  return { cidr: `${formatIp(base)}/${prefixLength}`, bridgeIp: formatIp(base + 1), prefixLength, base, size: 2 ** (32 - prefixLength) };
}

function overlaps(a: number, aLength: number, b: number, bLength: number): boolean {
  const size = 2 ** (32 - Math.min(aLength, bLength));
  return Math.floor(a / size) === Math.floor(b / size);
}

/** The networks of `/proc/net/route`, the default route and `exceptInterface` left out. */
export function parseRoutes(text: string, exceptInterface: string): { base: number; prefixLength: number }[] {
  const routes: { base: number; prefixLength: number }[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [name = '', destination = '', , , , , , mask = ''] = line.split('\t');
    if (destination === '' || name === exceptInterface || destination === '00000000') continue;
    const bits = swapped(mask).toString(2).replaceAll('0', '').length;
    routes.push({ base: swapped(destination), prefixLength: bits });
  }
  return routes;
}

/** The kernel prints the bytes of an address in memory order. */
function swapped(hex: string): number {
  return Buffer.from(hex, 'hex').readUInt32LE(0);
}

/** Hands out addresses of a network; the next one is always the longest unused, so that a stale connection finds nobody. */
export class AddressPool {
  readonly #network: PodCidr;
  readonly #taken = new Set<number>();
  #next: number;

  constructor(network: PodCidr, taken: Iterable<string>) {
    this.#network = network;
    for (const ip of taken) this.#taken.add(parseIp(ip));
    const highest = Math.max(network.base + 1, ...this.#taken);
    this.#next = highest + 1;
  }

  take(): string {
    const { base, size } = this.#network;
    for (let attempt = 0; attempt < size; attempt++, this.#next++) {
      if (this.#next < base + 2 || this.#next >= base + size - 1) this.#next = base + 2;
      if (this.#taken.has(this.#next)) continue;
      this.#taken.add(this.#next);
      return formatIp(this.#next++);
    }
    throw new Error(`no free pod address in ${this.#network.cidr}`);
  }

  release(ip: string): void {
    this.#taken.delete(parseIp(ip));
  }
}
