import { latin1 } from '#gateway/http/bytes.ts';
import { fieldValue } from '#gateway/http/head.ts';
import type { RequestHead } from '#gateway/http/request-head.ts';
import { Deck } from '#gateway/routes/deck.ts';
import type { PathConfig, RuleConfig } from '#gateway/routes/route-config.ts';
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
  readonly redirectToHttps: boolean;
  readonly probeHash: string;
  /** Longest path first; among equals the most header matches. */
  readonly rules: readonly PathRule[];
}

/** Immutable: an update makes a new one and swaps it in, so a request sees the routes of one moment. */
export interface RouteTable {
  readonly external: ReadonlyMap<string, HostRoutes>;
  readonly local: ReadonlyMap<string, HostRoutes>;
}

export const emptyRouteTable: RouteTable = { external: new Map(), local: new Map() };

/** Fields that say which revision a request goes to: the container must not see them (Knative's header pruning). */
const revisionHeaders = new Set(['knative-serving-revision', 'knative-serving-namespace']);

/** Compiled rules by the configuration they came from: an update of one route leaves the work done for a thousand others. */
const compiledRules = new WeakMap<RuleConfig, readonly HostRoutes[]>();

/**
 * Compiles rules to a table. Rules of the same host and visibility are merged. A backend that is not known is an error of the
 * caller. Decks of `previous` go on where the same rule splits in the same way.
 */
export function compileRoutes(
  rules: readonly RuleConfig[],
  backends: (key: string) => Backend,
  previous: RouteTable = emptyRouteTable,
): RouteTable {
  const table = { external: new Map<string, HostRoutes>(), local: new Map<string, HostRoutes>() };
  for (const rule of rules) {
    const hosts = table[rule.visibility];
    for (const routes of compileRule(rule, backends, previous)) {
      const known = hosts.get(routes.host);
      hosts.set(routes.host, known === undefined ? routes : merge(known, routes));
    }
  }
  for (const hosts of [table.external, table.local]) {
    for (const [host, routes] of hosts) {
      if (routes.rules.some(({ rewriteHost }) => leadsOn(table, rewriteHost))) hosts.set(host, throughLocal(routes, table));
    }
  }
  return table;
}

function leadsOn(table: RouteTable, host: string | undefined): boolean {
  return host !== undefined && table.local.get(host)?.rules.every(({ rewriteHost }) => rewriteHost === undefined) === true;
}

/**
 * A rule that rewrites the host to one of our own (a mapped domain) goes where a request for that host would go, at once: the
 * rules of that host in its place, with its own header lines besides theirs.
 */
function throughLocal(routes: HostRoutes, table: RouteTable): HostRoutes {
  const rules = routes.rules.flatMap((rule) => {
    const onward = leadsOn(table, rule.rewriteHost) ? (table.local.get(rule.rewriteHost ?? '')?.rules ?? []) : [];
    return onward.length === 0 ? [rule] : onward.map((next) => chained(rule, next));
  });
  return { ...routes, rules: rules.sort(moreSpecificFirst) };
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
    redirectToHttps: a.redirectToHttps || b.redirectToHttps,
    probeHash: b.probeHash === '' ? a.probeHash : b.probeHash,
    rules: [...a.rules, ...b.rules].sort(moreSpecificFirst),
  };
}

/** One entry a host; the hosts of a rule share its paths and with them its decks. */
function compileRule(rule: RuleConfig, backends: (key: string) => Backend, previous: RouteTable): readonly HostRoutes[] {
  const known = compiledRules.get(rule);
  const stillTrue = known?.[0]?.rules.every(({ targets }) => targets.every(({ backend }) => backends(backend.key) === backend));
  if (known !== undefined && stillTrue !== false) return known;
  const old = rule.hosts[0] === undefined ? undefined : previous[rule.visibility].get(rule.hosts[0]);
  const paths = rule.paths.map((path) => compilePath(path, backends, old)).sort(moreSpecificFirst);
  const { redirectToHttps = false, probeHash = '' } = rule;
  const compiled = rule.hosts.map((host) => ({ host, redirectToHttps, probeHash, rules: paths }));
  compiledRules.set(rule, compiled);
  return compiled;
}

function moreSpecificFirst(a: PathRule, b: PathRule): number {
  return b.path.length - a.path.length || b.headers.length - a.headers.length;
}

function compilePath(config: PathConfig, backends: (key: string) => Backend, old: HostRoutes | undefined): PathRule {
  const splits = config.splits.filter((split) => split.percent > 0);
  const headers = Object.entries(config.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  const isSplit = splits.length > 1;
  const identity = isSplit ? JSON.stringify([config.path, headers, splits.map((split) => [split.backend, split.percent])]) : '';
  const kept = isSplit ? old?.rules.find((rule) => rule.identity === identity)?.deck : undefined;
  return {
    path: latin1(config.path === '/' ? '' : (config.path ?? '')),
    headers,
    rewriteHost: config.rewriteHost,
    targets: splits.map((split) => ({
      backend: backends(split.backend),
      ...appended({ ...config.appendHeaders, ...split.appendHeaders }),
    })),
    deck: isSplit ? (kept ?? new Deck(splits.map((split) => split.percent))) : undefined,
    identity,
  };
}

function appended(headers: Readonly<Record<string, string>>): Pick<Target, 'appendLines' | 'overrides'> {
  const sent = Object.entries(headers).filter(([name]) => !revisionHeaders.has(name.toLowerCase()));
  return {
    appendLines: latin1(sent.map(([name, value]) => `${name}: ${value}\r\n`).join('')),
    // K-* and Knative-* from outside are dropped anyway.
    overrides: sent.map(([name]) => name.toLowerCase()).filter((name) => !/^k(native)?-/.test(name)),
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
