import type { Informer, Informers } from '#client/informer-types.ts';
import type { Logger } from '#core/logger.ts';
import { secrets, type Ingress, type Secret } from '#gateway/controller/kinds.ts';
import type { CertificateConfig } from '#gateway/routes/route-config.ts';

/** A Secret and the hosts whose certificate it is. */
export interface CertificateReference {
  readonly hosts: readonly string[];
  readonly namespace: string;
  readonly name: string;
}

export function certificateReferences(ingress: Ingress): CertificateReference[] {
  return (ingress.spec?.tls ?? [])
    .filter(({ secretName }) => secretName !== undefined && secretName !== '')
    .map(({ hosts = [], secretName = '', secretNamespace }) => ({
      hosts: hosts.map((host) => host.toLowerCase()),
      namespace: secretNamespace === undefined || secretNamespace === '' ? (ingress.metadata.namespace ?? '') : secretNamespace,
      name: secretName,
    }));
}

/** Certificates for the hosts of Ingresses. Watches the Secrets that are referenced, one by one, and no others. */
export class CertificateSync {
  readonly #informers: Informers;
  readonly #logger: Logger;
  readonly #changed: () => void;
  readonly #watched = new Map<string, Informer<Secret>>();
  #references: readonly CertificateReference[] = [];

  constructor(informers: Informers, logger: Logger, changed: () => void) {
    this.#informers = informers;
    this.#logger = logger;
    this.#changed = changed;
  }

  update(references: readonly CertificateReference[]): void {
    this.#references = references;
    for (const reference of references) this.#watch(reference);
  }

  #watch({ namespace, name }: CertificateReference): void {
    const key = `${namespace}/${name}`;
    if (this.#watched.has(key)) return;
    const informer = this.#informers.of(secrets, { namespace, fieldSelector: `metadata.name=${name}` });
    this.#watched.set(key, informer);
    informer.on(() => this.#changed());
    this.#informers.start().catch((error: unknown) => this.#logger.warn('secret is not watched', { secret: key, error }));
  }

  configs(): CertificateConfig[] {
    return this.#references.flatMap(({ hosts, namespace, name }) => {
      const secret = this.#watched.get(`${namespace}/${name}`)?.get(namespace, name);
      const certificate = decode(secret, 'tls.crt');
      const key = decode(secret, 'tls.key');
      return certificate === undefined || key === undefined ? [] : [{ hosts, certificate, key }];
    });
  }

  /** The first referenced Secret without a usable certificate, or ''. */
  missing(ingress: Ingress): string {
    const found = certificateReferences(ingress).find(({ namespace, name }) => {
      const secret = this.#watched.get(`${namespace}/${name}`)?.get(namespace, name);
      return decode(secret, 'tls.crt') === undefined || decode(secret, 'tls.key') === undefined;
    });
    return found === undefined ? '' : `Secret ${found.namespace}/${found.name}`;
  }
}

function decode(secret: Secret | undefined, key: string): string | undefined {
  const value = secret?.data?.[key];
  return typeof value === 'string' && value !== '' ? Buffer.from(value, 'base64').toString('latin1') : undefined;
}
