import { certificateSigningRequests, type CertificateSigningRequest } from '#apis/certificates/v1/certificate-signing-request.ts';
import { timestamp } from '#controller/conditions.ts';
import { done, type ControllerModule } from '#controller/controller.ts';
import { checkedTerms, SigningRefusal } from '#cluster/certificate-signing/signers.ts';
import type { SigningSubject, SigningTerms } from '#wire/certificates.ts';

export interface CertificateSigner {
  /** Who a PEM request names; throws where it is not sound. */
  subject(request: string): Promise<SigningSubject>;
  /** PEM to PEM. */
  sign(request: string, terms: SigningTerms): Promise<string>;
}

/**
 * CertificateSigningRequest, once approved → its certificate, for the signers of kubernetes.io. What such a signer does not sign gets
 * the condition Failed; requests to other signers are for others.
 */
export const certificateSigningController = (signer: CertificateSigner): ControllerModule<CertificateSigningRequest> => ({
  name: 'csr-signing-controller',
  setup: ({ clock }) => ({
    resource: certificateSigningRequests,
    async reconcile(request) {
      if (!isWaiting(request)) return done;
      const pem = Buffer.from(request.spec.request, 'base64').toString();
      try {
        const terms = checkedTerms(request.spec, await signer.subject(pem).catch(unsound));
        if (terms === undefined) return done;
        const certificate = Buffer.from(await signer.sign(pem, terms)).toString('base64');
        request.status = { ...request.status, certificate };
      } catch (error) {
        if (!(error instanceof SigningRefusal)) throw error;
        const now = timestamp(clock);
        const failed = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message: error.message };
        const conditions = [...(request.status?.conditions ?? []), { ...failed, lastUpdateTime: now, lastTransitionTime: now }];
        request.status = { ...request.status, conditions };
      }
      return done;
    },
  }),
});

function isWaiting({ status }: CertificateSigningRequest): boolean {
  const has = (type: string) => status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
  return has('Approved') && !has('Denied') && !has('Failed') && (status?.certificate ?? '') === '';
}

function unsound(error: unknown): never {
  throw new SigningRefusal(`unable to parse csr: ${error instanceof Error ? error.message : String(error)}`);
}
