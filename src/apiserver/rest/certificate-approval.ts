import type { CertificateSigningRequestStatus } from '#apis/certificates/v1/certificate-signing-request.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ResourceCall } from '#apiserver/context.ts';
import { receiveObject } from '#apiserver/negotiation/body.ts';
import { versionOf } from '#apiserver/registry/kind-registry.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { decodedBody } from '#apiserver/rest/checked-body.ts';
import { getResponse } from '#apiserver/rest/get.ts';
import { draftOf } from '#apiserver/rest/stages.ts';
import { updateObject } from '#apiserver/rest/update.ts';
import { parseWriteOptions } from '#apiserver/rest/write-options.ts';

type SigningRequest = KubeObject & { status?: CertificateSigningRequestStatus };

/** `approval` of a CertificateSigningRequest. Changes nothing but the conditions: who may approve need not be who writes certificates. */
export async function approve(call: ResourceCall): Promise<ApiResponse> {
  if (call.info.verb === 'get') return getResponse(call);
  const { definition, version } = call.served;
  const options = parseWriteOptions(call, 'UpdateOptions');
  const apiVersion = versionOf(call.served);
  const { value } = await receiveObject(call.request, { apiVersion, kind: definition.kind, schema: version.schema });
  const body = decodedBody(value, version.schema) as SigningRequest;
  return updateObject(call, options, {
    subresource: 'approval',
    part: 'all',
    next: (stored) => {
      const next = draftOf(stored) as SigningRequest;
      const known = next.status?.conditions ?? [];
      const conditions = (body.status?.conditions ?? []).map((condition) => {
        const before = known.find(({ type }) => type === condition.type);
        const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
        return { lastUpdateTime: call.now, lastTransitionTime: since ?? call.now, ...condition };
      });
      next.status = { ...next.status, conditions };
      next.metadata.resourceVersion = body.metadata.resourceVersion ?? '';
      return next;
    },
  });
}
