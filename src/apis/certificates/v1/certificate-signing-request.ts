import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { fieldInvalid, fieldRequired } from '#apis/meta/field-error.ts';
import { humanDuration } from '#apis/meta/human-duration.ts';
import { requiredText } from '#apis/meta/validation.ts';
import { bytes, int32, list, listMapReplaced, map, object, required, string, time, type Infer } from '#apis/schema.ts';

const certificates = 'io.k8s.api.certificates.v1';

export const certificateSigningRequestSpecSchema = object(`${certificates}.CertificateSigningRequestSpec`, {
  request: [1, required(bytes())],
  username: [2, string()],
  uid: [3, string()],
  groups: [4, list(string())],
  usages: [5, list(string())],
  extra: [6, map(list(string()))],
  signerName: [7, required(string())],
  expirationSeconds: [8, int32()],
});
export interface CertificateSigningRequestSpec extends Infer<typeof certificateSigningRequestSpecSchema> {}

export const certificateSigningRequestConditionSchema = object(`${certificates}.CertificateSigningRequestCondition`, {
  type: [1, required(string())],
  reason: [2, string()],
  message: [3, string()],
  lastUpdateTime: [4, time()],
  lastTransitionTime: [5, time()],
  status: [6, required(string())],
});
export interface CertificateSigningRequestCondition extends Infer<typeof certificateSigningRequestConditionSchema> {}

export const certificateSigningRequestStatusSchema = object(`${certificates}.CertificateSigningRequestStatus`, {
  conditions: [1, listMapReplaced(certificateSigningRequestConditionSchema, ['type'])],
  certificate: [2, bytes()],
});
export interface CertificateSigningRequestStatus extends Infer<typeof certificateSigningRequestStatusSchema> {}

export const certificateSigningRequestSchema = kindSchema(`${certificates}.CertificateSigningRequest`, {
  spec: [2, certificateSigningRequestSpecSchema],
  status: [3, certificateSigningRequestStatusSchema],
});
export interface CertificateSigningRequest extends Infer<typeof certificateSigningRequestSchema> {}

/** `Approved,Issued`, `Denied`, `Pending` … */
function conditionText({ status }: CertificateSigningRequest): string {
  const has = (type: string) => status?.conditions?.some((condition) => condition.type === type) ?? false;
  const words = [has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'];
  if (has('Failed')) words.push('Failed');
  if (status?.certificate !== undefined && status.certificate !== '') words.push('Issued');
  return words.join(',');
}

export const certificateSigningRequestDefinition = defineBuiltin<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  shortNames: ['csr'],
  namespaced: false,
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: certificateSigningRequestSchema,
      served: true,
      columns: [
        ageColumn,
        column<CertificateSigningRequest>('SignerName', ({ spec }) => spec.signerName),
        column<CertificateSigningRequest>('Requestor', ({ spec }) => spec.username ?? ''),
        column<CertificateSigningRequest>('RequestedDuration', ({ spec }) =>
          spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000),
        ),
        column('Condition', conditionText),
      ],
    },
  ],
  selectableFields: ({ spec }) => ({ 'spec.signerName': spec.signerName }),
  /** The requester's identity is the server's to say. */
  prepare({ spec }, { operation, old, user }) {
    if (operation === 'update') {
      if (old !== undefined && spec !== undefined) Object.assign(spec, old.spec);
      return;
    }
    if (spec === undefined) return;
    const { username, uid, groups, extra } = user;
    Object.assign(spec, {
      username,
      groups: [...groups],
      ...(uid === undefined ? {} : { uid }),
      ...(extra === undefined ? {} : { extra }),
    });
  },
  validate: ({ spec }) => [
    ...requiredText('spec.signerName', spec.signerName),
    ...requiredText('spec.request', spec.request),
    ...((spec.usages ?? []).length === 0 ? [fieldRequired('spec.usages')] : []),
    ...(spec.expirationSeconds !== undefined && spec.expirationSeconds < 600
      ? [fieldInvalid('spec.expirationSeconds', spec.expirationSeconds, 'may not specify a duration less than 600 seconds (10 minutes)')]
      : []),
  ],
});
export const certificateSigningRequests = resourceOf(certificateSigningRequestDefinition);
