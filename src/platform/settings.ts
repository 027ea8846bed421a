import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkDns1123Subdomain } from '#apis/meta/names.ts';
import { readMirrors } from '#platform/registry-mirrors.ts';
import { readChoice, readPort, type Setting, type Values } from '#core/config.ts';
import { UserError } from '#core/errors.ts';

function readAddress(text: string, name: string): string {
  if (isIP(text) !== 0) return text;
  throw new UserError(`${name}: ${JSON.stringify(text)} is not an IP address`, {
    hint: 'For example 127.0.0.1 (this machine alone) or 0.0.0.0 (everybody who reaches it).',
  });
}

function readDnsName(text: string, name: string): string {
  const [problem] = checkDns1123Subdomain(text);
  if (problem === undefined) return text;
  throw new UserError(`${name}: ${JSON.stringify(text)} is not a name: ${problem}`);
}

/** Whether this process is the machine's root. */
export const isRoot = (): boolean => process.getuid?.() === 0;

/** Everything the platform can be told, in one table; `dormouse up --help` and docs/reference derive from it. */
export const settings = {
  dataDir: {
    flag: 'data-dir',
    env: 'DORMOUSE_DATA_DIR',
    summary: 'Where the platform keeps its data',
    placeholder: 'DIR',
    fallback: (environment) => join(environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'dormouse'),
    read: (text) => resolve(text),
  } satisfies Setting<string>,
  listen: {
    flag: 'listen',
    env: 'DORMOUSE_LISTEN',
    key: 'listen',
    summary: 'Address of the public listeners',
    placeholder: 'IP',
    fallback: () => '127.0.0.1',
    read: readAddress,
  } satisfies Setting<string>,
  apiPort: {
    flag: 'api-port',
    env: 'DORMOUSE_API_PORT',
    key: 'apiPort',
    summary: 'Port of the Kubernetes API',
    placeholder: 'PORT',
    fallback: () => 6443,
    read: readPort,
  } satisfies Setting<number>,
  httpPort: {
    flag: 'http-port',
    env: 'DORMOUSE_HTTP_PORT',
    key: 'httpPort',
    summary: 'Port of the gateway',
    placeholder: 'PORT',
    fallback: () => (isRoot() ? 80 : 8080),
    read: readPort,
  } satisfies Setting<number>,
  httpsPort: {
    flag: 'https-port',
    env: 'DORMOUSE_HTTPS_PORT',
    key: 'httpsPort',
    summary: 'Port of the gateway for TLS',
    placeholder: 'PORT',
    fallback: () => (isRoot() ? 443 : 8443),
    read: readPort,
  } satisfies Setting<number>,
  registryPort: {
    flag: 'registry-port',
    env: 'DORMOUSE_REGISTRY_PORT',
    key: 'registryPort',
    summary: 'Port of the image registry',
    placeholder: 'PORT',
    fallback: () => 5000,
    read: readPort,
  } satisfies Setting<number>,
  kubeletPort: {
    flag: 'kubelet-port',
    env: 'DORMOUSE_KUBELET_PORT',
    key: 'kubeletPort',
    summary: "Port of the node agent's API",
    placeholder: 'PORT',
    fallback: () => 10250,
    read: readPort,
  } satisfies Setting<number>,
  adminPort: {
    flag: 'admin-port',
    env: 'DORMOUSE_ADMIN_PORT',
    key: 'adminPort',
    summary: "Port of the gateway's metrics and health",
    placeholder: 'PORT',
    fallback: () => 9901,
    read: readPort,
  } satisfies Setting<number>,
  registryMirrors: {
    flag: 'registry-mirrors',
    env: 'DORMOUSE_REGISTRY_MIRRORS',
    key: 'registryMirrors',
    summary: 'Where images of a registry (or of any: *) are looked for first, in order',
    placeholder: 'HOST=URL[,HOST=URL…]',
    fallback: () => 'none',
    read: (text, name) => {
      readMirrors(text, name);
      return text;
    },
  } satisfies Setting<string>,
  domain: {
    flag: 'domain',
    env: 'DORMOUSE_DOMAIN',
    key: 'domain',
    summary: 'Domain of the services’ URLs',
    placeholder: 'DOMAIN',
    fallback: () => 'localhost',
    read: readDnsName,
  } satisfies Setting<string>,
  runtime: {
    flag: 'runtime',
    env: 'DORMOUSE_RUNTIME',
    key: 'runtime',
    summary: 'What runs containers',
    placeholder: 'auto|runc|crun|namespaces|bwrap',
    fallback: () => 'auto' as const,
    read: readChoice(['auto', 'runc', 'crun', 'namespaces', 'bwrap']),
  } satisfies Setting<'auto' | 'runc' | 'crun' | 'namespaces' | 'bwrap'>,
  knativeControllers: {
    flag: 'knative-controllers',
    env: 'DORMOUSE_KNATIVE_CONTROLLERS',
    key: 'knativeControllers',
    summary: 'Whether the platform runs Knative’s controllers itself; off: "dormouse controllers" does, elsewhere',
    placeholder: 'on|off',
    fallback: () => 'on' as const,
    read: readChoice(['on', 'off']),
  } satisfies Setting<'on' | 'off'>,
  nodeName: {
    flag: 'node-name',
    env: 'DORMOUSE_NODE_NAME',
    key: 'nodeName',
    summary: 'Name of the node',
    placeholder: 'NAME',
    fallback: () => 'dormouse',
    read: readDnsName,
  } satisfies Setting<string>,
  logLevel: {
    flag: 'log-level',
    env: 'DORMOUSE_LOG_LEVEL',
    key: 'logLevel',
    summary: 'Least level that is logged',
    placeholder: 'debug|info|warn|error',
    fallback: () => 'info' as const,
    read: readChoice(['debug', 'info', 'warn', 'error']),
  } satisfies Setting<'debug' | 'info' | 'warn' | 'error'>,
} as const;

export type PlatformSettings = Values<typeof settings>;

/** The listening ports, by setting name: what may fall to a free one when its default is taken. */
export const portSettings = ['apiPort', 'httpPort', 'httpsPort', 'registryPort', 'kubeletPort', 'adminPort'] as const;
export type PortSetting = (typeof portSettings)[number];
