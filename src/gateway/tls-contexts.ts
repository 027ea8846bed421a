import { createSecureContext, type SecureContext } from 'node:tls';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { CertificateConfig } from '#gateway/routes/route-config.ts';
import { normalizeHost } from '#gateway/routes/route-table.ts';
import type { TlsOptions } from '#gateway/transport/transport.ts';

/** Certificates by server name, exact names before `*.` ones. Contexts are made on first use and kept while the certificate stays. */
export class TlsContexts implements TlsOptions {
  readonly #logger: Logger;
  #byHost = new Map<string, CertificateConfig>();
  #contexts = new Map<string, SecureContext>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  update(certificates: readonly CertificateConfig[]): void {
    this.#byHost = new Map(certificates.flatMap((one) => one.hosts.map((host) => [host, one] as const)));
    const wanted = new Set(certificates.map(contextKey));
    for (const key of this.#contexts.keys()) if (!wanted.has(key)) this.#contexts.delete(key);
  }

  contextFor(serverName: string): SecureContext | undefined {
    // Some clients (hey) send the port along.
    const host = normalizeHost(serverName);
    const config = this.#byHost.get(host) ?? this.#byHost.get(`*${host.slice(host.indexOf('.'))}`);
    if (config === undefined) return undefined;
    const known = this.#contexts.get(contextKey(config));
    if (known !== undefined) return known;
    try {
      const context = createSecureContext({ cert: config.certificate, key: config.key });
      this.#contexts.set(contextKey(config), context);
      return context;
    } catch (error) {
      this.#logger.warn('certificate cannot be used', { host: serverName, reason: errorText(error) });
      return undefined;
    }
  }
}

const contextKey = ({ certificate, key }: CertificateConfig): string => `${certificate}\n${key}`;
