import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { HttpsTransportOptions } from '#client/https-transport.ts';
import { tokenFile } from '#client/token-file.ts';
import { UserError } from '#core/errors.ts';
import { isObject } from '#machinery/deep.ts';

type Fields = Readonly<Record<string, unknown>>;
interface NamedEntry {
  readonly name: string;
  readonly [field: string]: unknown;
}

/** A kubeconfig; what we do not know of is kept as it is, so that other people's entries survive a merge. */
export interface Kubeconfig {
  readonly apiVersion: 'v1';
  readonly kind: 'Config';
  readonly 'current-context'?: string;
  readonly clusters: readonly NamedEntry[];
  readonly users: readonly NamedEntry[];
  readonly contexts: readonly NamedEntry[];
  readonly [field: string]: unknown;
}

export interface KubeconfigEntry {
  /** Name of cluster, user and context alike. */
  readonly name: string;
  readonly server: string;
  /** PEM. */
  readonly certificateAuthority: string;
  /** PEM. */
  readonly clientCertificate?: { readonly certificate: string; readonly key: string };
  readonly token?: string;
  readonly namespace?: string;
}

export interface Connection {
  readonly connection: HttpsTransportOptions;
  /** The context's namespace, `default` where it names none. */
  readonly namespace: string;
  readonly context: string;
}

const emptyConfig: Kubeconfig = { apiVersion: 'v1', kind: 'Config', clusters: [], users: [], contexts: [] };

/** A kubeconfig of one context, complete in itself: certificates and keys are embedded. */
export function kubeconfigOf(entry: KubeconfigEntry): Kubeconfig {
  const { name, server, namespace, clientCertificate, token } = entry;
  const user = {
    ...(clientCertificate === undefined
      ? {}
      : { 'client-certificate-data': base64(clientCertificate.certificate), 'client-key-data': base64(clientCertificate.key) }),
    ...(token === undefined ? {} : { token }),
  };
  return {
    ...emptyConfig,
    'current-context': name,
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(entry.certificateAuthority) } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
  };
}

/** The text as a kubeconfig; relative file names in it are taken from `folder`. UserError says what is wrong with it. */
export function parseKubeconfig(text: string, source: string, folder: string): Kubeconfig {
  let value: unknown;
  try {
    value = parse(text) ?? {};
  } catch (cause) {
    throw new UserError(`${source} is not valid YAML`, { cause });
  }
  if (!isObject(value)) throw new UserError(`${source} is not a kubeconfig`);
  return {
    ...emptyConfig,
    ...(value as Fields),
    apiVersion: 'v1',
    kind: 'Config',
    clusters: entries(value['clusters'], 'clusters', source).map((entry) => withPaths(entry, 'cluster', ['certificate-authority'], folder)),
    users: entries(value['users'], 'users', source).map((entry) =>
      withPaths(entry, 'user', ['client-certificate', 'client-key', 'tokenFile'], folder),
    ),
    contexts: entries(value['contexts'], 'contexts', source),
  };
}

/** Files merged as kubectl does: of two entries with one name the first file's counts. Missing files are left out. */
export function loadKubeconfig(paths: readonly string[]): Kubeconfig {
  const configs = paths.filter((path) => existsSync(path)).map((path) => parseKubeconfig(readFileSync(path, 'utf8'), path, dirname(path)));
  return configs.reduce((merged, next) => mergeKubeconfig(next, merged), emptyConfig);
}

/** The files `KUBECONFIG` names (separated by `:`, `;` on Windows), or `~/.kube/config`. */
export function kubeconfigPaths(environment: Readonly<Record<string, string | undefined>>, separator = ':'): string[] {
  const named = (environment['KUBECONFIG'] ?? '').split(separator).filter((path) => path !== '');
  return named.length > 0 ? named : [join(environment['HOME'] ?? environment['USERPROFILE'] ?? '.', '.kube', 'config')];
}

/** `base` with the entries of `over` put in, replacing those of the same name; `over`'s current context wins where it has one. */
export function mergeKubeconfig(base: Kubeconfig, over: Kubeconfig): Kubeconfig {
  const current = over['current-context'] || base['current-context'];
  return {
    ...base,
    ...over,
    ...(current === undefined ? {} : { 'current-context': current }),
    clusters: mergeEntries(base.clusters, over.clusters),
    users: mergeEntries(base.users, over.users),
    contexts: mergeEntries(base.contexts, over.contexts),
  };
}

function formatKubeconfig(config: Kubeconfig): string {
  return stringify(config, { lineWidth: 0 });
}

/** Replaces the file in one step, readable by its owner alone; a symbolic link keeps pointing where it does. */
export function writeKubeconfig(path: string, config: Kubeconfig): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const target = existsSync(path) ? realpathSync(path) : path;
  const temporary = `${target}.${randomBytes(4).toString('hex')}.tmp`;
  writeFileSync(temporary, formatKubeconfig(config), { mode: 0o600, flag: 'wx' });
  renameSync(temporary, target);
}

/** How to reach the cluster of a context (default: the current one). UserError when the kubeconfig does not say. */
export function connectionOf(config: Kubeconfig, contextName = config['current-context'] ?? ''): Connection {
  if (contextName === '')
    throw new UserError('the kubeconfig has no current context', { hint: 'choose one: kubectl config use-context NAME' });
  const context = find(config.contexts, contextName, 'context');
  const cluster = find(config.clusters, text(context, 'cluster') ?? '', 'cluster');
  const userName = text(context, 'user') ?? '';
  const user = userName === '' ? {} : find(config.users, userName, 'user');
  const server = text(cluster, 'server');
  if (server === undefined || !URL.canParse(server))
    throw new UserError(`cluster ${text(context, 'cluster')} has no usable server address`);
  const certificateAuthority = pem(cluster, 'certificate-authority');
  const tlsServerName = text(cluster, 'tls-server-name');
  return {
    context: contextName,
    namespace: text(context, 'namespace') ?? 'default',
    connection: {
      server,
      ...(certificateAuthority === undefined ? {} : { certificateAuthority }),
      ...(tlsServerName === undefined ? {} : { tlsServerName }),
      ...(cluster['insecure-skip-tls-verify'] === true ? { insecureSkipTlsVerify: true } : {}),
      ...credentials(user, userName),
    },
  };
}

function credentials(user: Fields, name: string): Partial<HttpsTransportOptions> {
  for (const unsupported of ['exec', 'auth-provider', 'username']) {
    if (user[unsupported] !== undefined) {
      throw new UserError(`user ${name} signs in by "${unsupported}", which is not supported here`, {
        hint: 'use a client certificate or a token: kubectl create token',
      });
    }
  }
  const certificate = pem(user, 'client-certificate');
  const key = pem(user, 'client-key');
  const token = text(user, 'token');
  const file = text(user, 'tokenFile');
  return {
    ...(certificate === undefined || key === undefined ? {} : { clientCertificate: { certificate, key } }),
    ...(file === undefined ? {} : { token: tokenFile(file) }),
    ...(token === undefined ? {} : { token: () => token }),
  };
}

function entries(value: unknown, field: string, source: string): NamedEntry[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new UserError(`${source}: ${field} is not a list`);
  return value.map((entry: unknown) => {
    if (isObject(entry) && typeof entry['name'] === 'string') return entry as unknown as NamedEntry;
    throw new UserError(`${source}: an entry of ${field} has no name`);
  });
}

function withPaths(entry: NamedEntry, part: string, fields: readonly string[], folder: string): NamedEntry {
  const inner = entry[part];
  if (!isObject(inner)) return entry;
  const absolute: Record<string, unknown> = { ...inner };
  for (const field of fields) {
    const path = absolute[field];
    if (typeof path === 'string' && path !== '' && !isAbsolute(path)) absolute[field] = join(folder, path);
  }
  return { ...entry, [part]: absolute };
}

function mergeEntries(base: readonly NamedEntry[], over: readonly NamedEntry[]): NamedEntry[] {
  const kept = base.map((entry) => over.find(({ name }) => name === entry.name) ?? entry);
  return [...kept, ...over.filter(({ name }) => !base.some((entry) => entry.name === name))];
}

function find(list: readonly NamedEntry[], name: string, what: string): Fields {
  const inner = list.find((entry) => entry.name === name)?.[what];
  if (!isObject(inner)) throw new UserError(`the kubeconfig has no ${what} "${name}"`);
  return inner;
}

function text(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The embedded data of a field, or the content of the file it names. */
function pem(fields: Fields, name: string): string | undefined {
  const data = text(fields, `${name}-data`);
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const path = text(fields, name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError(`cannot read the ${name} file ${path}`, { cause });
  }
}

function base64(content: string): string {
  return Buffer.from(content).toString('base64');
}
