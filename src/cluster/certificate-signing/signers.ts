import type { CertificateSigningRequestSpec } from '#apis/certificates/v1/certificate-signing-request.ts';
import type { SigningSubject, SigningTerms } from '#wire/certificates.ts';

type Usage = SigningTerms['usages'][number];

/** Why a signer does not sign. */
export class SigningRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SigningRefusal';
  }
}

const yearSeconds = 365 * 86_400;
const always: readonly Usage[] = ['digital signature', 'key encipherment'];

/** By signer: which usage a request has to ask for, and what its subject has to be like (Kubernetes' documentation of its signers). */
const signers: Readonly<Record<string, { readonly usage: Usage; check(subject: SigningSubject): string | undefined }>> = {
  'kubernetes.io/kube-apiserver-client': {
    usage: 'client auth',
    check: ({ organizations }) =>
      organizations.includes('system:masters') ? 'the group system:masters may not be given by a certificate request' : undefined,
  },
  'kubernetes.io/kube-apiserver-client-kubelet': {
    usage: 'client auth',
    check: (subject) => nodeProblem(subject) ?? (subject.hosts.length > 0 ? 'DNS and IP subjectAltNames are not allowed' : undefined),
  },
  'kubernetes.io/kubelet-serving': {
    usage: 'server auth',
    check: (subject) =>
      nodeProblem(subject) ?? (subject.hosts.length === 0 ? 'at least one DNS or IP subjectAltName is required' : undefined),
  },
};

function nodeProblem({ commonName, organizations }: SigningSubject): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes') return 'subject organization is not system:nodes';
  return commonName.startsWith('system:node:') ? undefined : 'subject common name does not begin with system:node: ';
}

/** How to sign a request; undefined when its signer is somebody else. Throws SigningRefusal. */
export function checkedTerms(spec: CertificateSigningRequestSpec, subject: SigningSubject): SigningTerms | undefined {
  const signer = signers[spec.signerName];
  if (signer === undefined) return undefined;
  const asked = spec.usages ?? [];
  const allowed: readonly string[] = [...always, signer.usage];
  const extra = asked.filter((usage) => !allowed.includes(usage));
  if (extra.length > 0 || !asked.includes(signer.usage)) {
    throw new SigningRefusal(`invalid usage for ${spec.signerName.replace('kubernetes.io/', '')} certificate: ${asked.join(',')}`);
  }
  const problem = signer.check(subject);
  if (problem !== undefined) throw new SigningRefusal(problem);
  const seconds = Math.min(spec.expirationSeconds ?? yearSeconds, yearSeconds);
  return { usages: allowed.filter((usage) => asked.includes(usage)) as Usage[], seconds };
}
