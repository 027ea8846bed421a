import { authoritySecret, trustedAuthoritySecret } from '#apis/dormouse/names.ts';
import { secrets, type Secret } from '#apis/core/v1/secret.ts';
import { ifThere, isReason } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import type { Informer } from '#client/informer-types.ts';
import type { ControllerContext } from '#controller/controller.ts';
import { isTrustSecret, keyPairOf, tlsSecret, trustSecret } from '#serving/certificate/secrets.ts';
import type { KeyPair } from '#wire/certificates.ts';

const [namespace = '', name = ''] = authoritySecret.split('/');
const [trustNamespace = '', trustName = ''] = trustedAuthoritySecret.split('/');
const lifetimeDays = 3650;

/** The authority's Secret cannot be used as it is. */
export class UnusableAuthorityError extends Error {}

/** The authority that signs services' certificates, from its Secret; made when it is first asked for. */
export class AuthorityStore {
  readonly #client: Client;
  readonly #informer: Informer<Secret>;
  #published = '';

  constructor({ client, informers }: ControllerContext) {
    this.#client = client;
    this.#informer = informers.of(secrets, { namespace, fieldSelector: `metadata.name=${name}` });
  }

  /** Calls back when it has become another one. */
  onChange(changed: () => void): () => void {
    return this.#informer.on(() => changed());
  }

  /** Throws UnusableAuthorityError where the Secret holds no key pair. */
  async get(): Promise<KeyPair> {
    const pair = keyPairOf(this.#informer.get(namespace, name) ?? (await this.#make()));
    if (pair !== undefined) {
      await this.#publish(pair.certificate);
      return pair;
    }
    throw new UnusableAuthorityError(`Secret ${authoritySecret} has no tls.crt and tls.key; delete it, and a new authority is made`);
  }

  /** Lets everybody who may read its Secret know whom to trust, without the key. One of the name that is not ours stays as it is. */
  async #publish(certificate: string): Promise<void> {
    if (this.#published === certificate) return;
    const wanted = trustSecret(trustNamespace, trustName, certificate);
    const there = await ifThere(this.#client.of(secrets).get(trustNamespace, trustName));
    if (there === undefined) await this.#client.of(secrets).create(wanted);
    else if (isTrustSecret(there) && there.data?.['tls.crt'] !== wanted.data?.['tls.crt']) {
      await this.#client.of(secrets).update({ ...there, data: wanted.data ?? {} });
    }
    this.#published = certificate;
  }

  /** The new one, or the one that got there first. */
  async #make(): Promise<Secret> {
    const { createAuthority } = await import('#wire/certificates.ts');
    const authority = await createAuthority('Dormouse services', lifetimeDays);
    try {
      return await this.#client.of(secrets).create(tlsSecret(namespace, name, authority, authority.certificate));
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
      return this.#client.of(secrets).get(namespace, name);
    }
  }
}
