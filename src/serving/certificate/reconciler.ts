import { authoritySecret } from '#apis/dormouse/names.ts';
import { secrets, type Secret } from '#apis/core/v1/secret.ts';
import { objectKey } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { platformCertificateClass } from '#apis/serving/config/tables.ts';
import { annotationOf, certificateClassKeys, labels } from '#apis/serving/names.ts';
import type { Informer } from '#client/informer-types.ts';
import { notOwnedRetryMs } from '#controller/children.ts';
import { timestamp } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { enqueueOwner, isControlledBy } from '#controller/owner.ts';
import { rfc3339 } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import { certificateConditions, quoted } from '#serving/conditions.ts';
import { AuthorityStore, UnusableAuthorityError } from '#serving/certificate/authority.ts';
import { keyPairOf, makeSecret } from '#serving/certificate/secrets.ts';
import type { KeyPair } from '#wire/certificates.ts';

const lifetimeDays = 90;
/** A certificate is renewed when it has no more than this left. */
const renewalDays = 30;
const dayMs = 86_400_000;
/** RFC 5280: ub-common-name. The names that count are the alternative ones. */
const maxCommonName = 64;

/** Issues certificates of the platform's class: Certificate → Secret, signed by the platform's authority for services. */
export const certificateController: ControllerModule<Certificate> = {
  name: 'certificate-controller',
  setup(context, enqueue) {
    const issued = context.informers.of(secrets, { labelSelector: labels.certificateUid });
    const authority = new AuthorityStore(context);
    enqueueOwner(issued, certificates, enqueue);
    authority.onChange(() => enqueue.all());
    const reconciler = new CertificateReconciler(context, issued, authority);
    return {
      resource: certificates,
      skipsTerminating: true,
      reconcile: (certificate) => reconciler.reconcile(certificate),
    };
  },
};

class CertificateReconciler {
  readonly #context: ControllerContext;
  readonly #issued: Informer<Secret>;
  readonly #authority: AuthorityStore;

  constructor(context: ControllerContext, issued: Informer<Secret>, authority: AuthorityStore) {
    this.#context = context;
    this.#issued = issued;
    this.#authority = authority;
  }

  async reconcile(certificate: Certificate): Promise<Outcome> {
    const className = annotationOf(certificate.metadata.annotations, certificateClassKeys) ?? platformCertificateClass;
    if (className !== platformCertificateClass) return done;
    const status = (certificate.status ??= {});
    const manager = certificateConditions.manage(status, timestamp(this.#context.clock));
    manager.initialize();
    if (certificate.metadata.generation !== undefined) status.observedGeneration = certificate.metadata.generation;
    const secret = await this.#secretOf(certificate);
    if (secret !== undefined && !isControlledBy(secret, certificate)) {
      const name = quoted(secret.metadata.name ?? '');
      manager.markFalse('Ready', 'NotOwned', `There is an existing Secret ${name} that we do not own.`);
      return requeue(notOwnedRetryMs);
    }
    let pair: KeyPair;
    try {
      pair = await this.#ensure(certificate, secret);
    } catch (error) {
      if (!(error instanceof UnusableAuthorityError)) throw error;
      manager.markFalse('Ready', 'IssuerNotReady', error.message);
      return done;
    }
    const { expiryOf } = await import('#wire/certificates.ts');
    const expiry = expiryOf(pair.certificate);
    status.notAfter = rfc3339(expiry.getTime());
    manager.markTrue('Ready');
    // Looked at once a day at least: a timer cannot be set for months.
    return requeue(Math.min(dayMs, Math.max(1000, expiry.getTime() - renewalDays * dayMs - this.#context.clock.now())));
  }

  /** From the cache of those that were issued; or whatever has the name. */
  async #secretOf({ metadata: { namespace }, spec }: Certificate): Promise<Secret | undefined> {
    const name = spec?.secretName ?? '';
    const known = this.#issued.get(namespace, name);
    if (known !== undefined) return known;
    return ifThere(this.#context.client.of(secrets).get(namespace, name));
  }

  /** What the Secret holds, where that is still good, else a new certificate, which is written to it. */
  async #ensure(certificate: Certificate, secret: Secret | undefined): Promise<KeyPair> {
    const { isIssuedBy, isUsable, issueCertificate } = await import('#wire/certificates.ts');
    const authority = await this.#authority.get();
    const hosts = certificate.spec?.dnsNames ?? [];
    const current = keyPairOf(secret);
    const stillGood =
      current !== undefined && isIssuedBy(current.certificate, authority.certificate) && isUsable(current.certificate, renewalDays, hosts);
    if (stillGood) return current;
    const commonName = hosts.find((host) => host.length <= maxCommonName) ?? 'service';
    const pair = await issueCertificate(authority, { commonName, hosts, usage: 'server', days: lifetimeDays }).catch((error: unknown) => {
      throw new UnusableAuthorityError(`the authority in Secret ${authoritySecret} cannot sign: ${errorText(error)}`, { cause: error });
    });
    const wanted = makeSecret(certificate, pair, authority.certificate);
    if (secret === undefined) await this.#context.client.of(secrets).create(wanted);
    else
      await this.#context.client.of(secrets).update({
        ...secret,
        ...wanted,
        metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, ...wanted.metadata.labels } },
      });
    this.#context.events.event(
      certificate,
      'Normal',
      secret === undefined ? 'Created' : 'Renewed',
      `Issued a certificate for ${hosts.join(', ')} in Secret ${quoted(objectKey(wanted))}`,
    );
    return pair;
  }
}
