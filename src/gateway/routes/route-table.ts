import { latin1 } from '#gateway/http/bytes.ts';
import { fieldValue } from '#gateway/http/head.ts';
import type { RequestHead } from '#gateway/http/request-head.ts';
import { Deck } from '#gateway/routes/deck.ts';
import type { PathConfig, RuleConfig, Visibility } from '#gateway/routes/route-config.ts';
import type { Backend } from '#gateway/slots/backend.ts';

/** One destination of a rule, with the header lines to send along. */
export interface Target {
  readonly backend: Backend;
  /** Field lines, each with its CRLF. */
  readonly appendLines: Buffer;
  /** Names (lower case) whose incoming lines give way to ours. */
  readonly overrides: readonly string[];
}

export interface PathRule {
  readonly path: Buffer;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly rewriteHost: string | undefined;
  readonly targets: readonly Target[];
  readonly deck: Deck | undefined;
  /** Equal for rules that split alike: the deck goes on through an update. '' where nothing is split. */
  readonly identity: string;
}

/** What one host name leads to on one listener. */
export interface HostRoutes {
  readonly host: string;
  /** Whose rules they are, as told to `set`; of merged ones the first. */
  readonly owner: string;
  readonly redirectToHttps: boolean;
  readonly probeHash: string;
  /** Longest path first; among equals the most header matches. */
  readonly rules: readonly PathRule[];
}

/** Fields that say which revision a request goes to: the container must not see them (Knative's header pruning). */
const revisionHeaders = new Set(['knative-serving-revision', 'knative-serving-namespace']);

type Hosts = Map<string, HostRoutes>;
type FindBackend = (key: string) => Backend;

/**
 * Routes by visibility and host. Rules come and go by owner (an Ingress, say), at a cost that does not depend on how many others there are.
 * Rules of the same host and visibility are merged, in the order in which their owners came. What is found here never changes:
 * a request in progress goes on with the routes of the moment it came.
 */
export class RouteTable {
  /** Another number after every change. */
  version = 0;
  readonly #hosts: Readonly<Record<Visibility, Hosts>> = { external: new Map(), local: new Map() };
  /** What a host's routes are made of, where that is more than one owner's rules as they are. */
  readonly #parts: Readonly<Record<Visibility, Map<string, readonly HostRoutes[]>>> = { external: new Map(), local: new Map() };
  readonly #owners = new Map<string, readonly RuleConfig[]>();

  get external(): ReadonlyMap<string, HostRoutes> {
    return this.#hosts.external;
  }
  get local(): ReadonlyMap<string, HostRoutes> {
    return this.#hosts.local;
  }
  get owners(): IterableIterator<string> {
    return this.#owners.keys();
  }
  get ruleCount(): number {
    return [...this.#owners.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * All rules of an owner, in place of those it had; none: it goes. A backend that is not known is an error of the caller. A rule that
   * splits as one of the same host did before goes on with its deck.
   */
  set(owner: string, rules: readonly RuleConfig[], backends: FindBackend): void {
    const compiled = rules.map((rule) => [rule, this.#compile(owner, rule, backends)] as const);
    const before = this.#owners.get(owner) ?? [];
    if (rules.length === 0) this.#owners.delete(owner);
    else this.#owners.set(owner, rules);
    for (const visibility of ['external', 'local'] as const) {
      const own = Map.groupBy(
        compiled.flatMap(([rule, routes]) => (rule.visibility === visibility ? routes : [])),
        ({ host }) => host,
      );
      const hosts = before.flatMap((rule) => (rule.visibility === visibility ? rule.hosts : []));
      for (const host of new Set([...hosts, ...own.keys()])) this.#setHost(visibility, host, owner, own.get(host) ?? []);
    }
    this.#leadOn();
    this.version++;
  }

  /** One entry a host; the hosts of a rule share its paths and with them its decks. */
  #compile(owner: string, rule: RuleConfig, backends: FindBackend): readonly HostRoutes[] {
    const old = rule.hosts[0] === undefined ? undefined : this.#hosts[rule.visibility].get(rule.hosts[0]);
    const paths = rule.paths.map((path) => compilePath(path, backends, old)).sort(moreSpecificFirst);
    const { redirectToHttps = false, probeHash = '' } = rule;
    return rule.hosts.map((host) => ({ host, owner, redirectToHttps, probeHash, rules: paths }));
  }

  #setHost(visibility: Visibility, host: string, owner: string, own: readonly HostRoutes[]): void {
    const [hosts, parts] = [this.#hosts[visibility], this.#parts[visibility]];
    const only = hosts.get(host);
    const before = parts.get(host) ?? (only === undefined ? [] : [only]);
    const first = before.findIndex((part) => part.owner === owner);
    const others = before.filter((part) => part.owner !== owner);
    const all = others.toSpliced(first === -1 ? others.length : first, 0, ...own);
    const [one] = all;
    if (one === undefined) hosts.delete(host);
    else hosts.set(host, all.reduce(merge));
    if (one === undefined || (all.length === 1 && !rewritesHost(one))) parts.delete(host);
    else parts.set(host, all);
  }

  /** A rule that rewrites the host to one of our own (a mapped domain) goes where a request for that host would go, at once. */
  #leadOn(): void {
    for (const visibility of ['external', 'local'] as const) {
      for (const [host, parts] of this.#parts[visibility]) {
        if (parts.some(rewritesHost)) this.#hosts[visibility].set(host, this.#throughLocal(parts.reduce(merge)));
      }
    }
  }

  /** The rules of the host that is led to in the place of the one that leads there, with its own header lines besides theirs. */
  #throughLocal(routes: HostRoutes): HostRoutes {
    const rules = routes.rules.flatMap((rule) => {
      const onward = rule.rewriteHost === undefined ? undefined : this.local.get(rule.rewriteHost);
      if (onward === undefined || onward.rules.length === 0 || rewritesHost(onward)) return [rule];
      return onward.rules.map((next) => chained(rule, next));
    });
    return { ...routes, rules: rules.sort(moreSpecificFirst) };
  }
}

function rewritesHost({ rules }: HostRoutes): boolean {
  return rules.some(({ rewriteHost }) => rewriteHost !== undefined);
}

function chained(first: PathRule, next: PathRule): PathRule {
  const [own] = first.targets;
  return {
    ...next,
    path: first.path.length > next.path.length ? first.path : next.path,
    headers: [...first.headers, ...next.headers],
    rewriteHost: first.rewriteHost,
    targets: next.targets.map((target) => ({
      backend: target.backend,
      appendLines: Buffer.concat([own?.appendLines ?? Buffer.alloc(0), target.appendLines]),
      overrides: [...(own?.overrides ?? []), ...target.overrides],
    })),
  };
}

function merge(a: HostRoutes, b: HostRoutes): HostRoutes {
  return {
    host: a.host,
    owner: a.owner,
    redirectToHttps: a.redirectToHttps || b.redirectToHttps,
    probeHash: b.probeHash === '' ? a.probeHash : b.probeHash,
    rules: [...a.rules, ...b.rules].sort(moreSpecificFirst),
  };
}

function moreSpecificFirst(a: PathRule, b: PathRule): number {
  return b.path.length - a.path.length || b.headers.length - a.headers.length;
}

function compilePath(config: PathConfig, backends: FindBackend, old: HostRoutes | undefined): PathRule {
  const splits = config.splits.filter((split) => split.percent > 0);
  const headers = Object.entries(config.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  const isSplit = splits.length > 1;
  // Knative's fields of a client are dropped; those a rule has asked for may be seen by the container too.
  const asked = Object.fromEntries(Object.entries(config.headers ?? {}).filter(([name]) => isKnativeField(name)));
  const identity = isSplit ? JSON.stringify([config.path, headers, splits.map((split) => [split.backend, split.percent])]) : '';
  const kept = isSplit ? old?.rules.find((rule) => rule.identity === identity)?.deck : undefined;
  return {
    path: latin1(config.path === '/' ? '' : (config.path ?? '')),
    headers,
    rewriteHost: config.rewriteHost,
    targets: splits.map((split) => ({
      backend: backends(split.backend),
      ...appended({ ...asked, ...config.appendHeaders, ...split.appendHeaders }),
    })),
    deck: isSplit ? (kept ?? new Deck(splits.map((split) => split.percent))) : undefined,
    identity,
  };
}

const isKnativeField = (name: string): boolean => /^k(native)?-/i.test(name);

function appended(headers: Readonly<Record<string, string>>): Pick<Target, 'appendLines' | 'overrides'> {
  const sent = Object.entries(headers).filter(([name]) => !revisionHeaders.has(name.toLowerCase()));
  return {
    appendLines: latin1(sent.map(([name, value]) => `${name}: ${value}\r\n`).join('')),
    // K-* and Knative-* from outside are dropped anyway.
    overrides: sent.map(([name]) => name.toLowerCase()).filter((name) => !isKnativeField(name)),
  };
}

/** Host names compare without case, port and trailing dot. */
export function normalizeHost(host: string): string {
  const lower = host.toLowerCase();
  const end = lower.startsWith('[') ? lower.indexOf(']') + 1 : lower.indexOf(':');
  const name = end > 0 ? lower.slice(0, end) : lower;
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** The rule for an accepted request head, or undefined. */
export function matchRule(routes: HostRoutes, bytes: Buffer, head: RequestHead): PathRule | undefined {
  for (const rule of routes.rules) {
    if (startsWith(bytes, head.targetStart, head.targetEnd, rule.path) && headersMatch(rule, bytes, head)) return rule;
  }
  return undefined;
}

function startsWith(bytes: Buffer, from: number, to: number, prefix: Buffer): boolean {
  if (to - from < prefix.length) return false;
  for (let index = 0; index < prefix.length; index++) if (bytes[from + index] !== prefix[index]) return false;
  return true;
}

function headersMatch(rule: PathRule, bytes: Buffer, head: RequestHead): boolean {
  return rule.headers.every(([name, value]) => fieldValue(bytes, head, name) === value);
}
