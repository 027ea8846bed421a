import { randomUUID } from 'node:crypto';
import { apiVersionOf, type KindVersion } from '#apis/definition.ts';
import { StatusError, type Status } from '#apis/meta/status.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { AdmissionRequest } from '#apiserver/admission/admission.ts';
import { convertTo } from '#apiserver/registry/kind-registry.ts';
import { isObject, type JsonValue } from '#machinery/deep.ts';

const optionKinds = { create: 'CreateOptions', update: 'UpdateOptions', delete: 'DeleteOptions' } as const;

/** The request of an AdmissionReview, and what admission expressions see as `request`. */
export function reviewRequest(request: AdmissionRequest, version: KindVersion): Record<string, unknown> {
  const { served, operation, subresource, namespace, name, user, dryRun, object, old } = request;
  const { definition } = served;
  const at = (one: string) => ({
    kind: { group: definition.group, version: one, kind: definition.kind },
    resource: { group: definition.group, version: one, resource: definition.plural },
  });
  const { kind, resource } = at(version.name);
  const asked = at(served.version.name);
  const shown = (state: KubeObject | undefined) => (state === undefined ? null : convertTo(definition, state, version.name));
  const typed = { apiVersion: apiVersionOf({ group: definition.group, version: served.version.name }), kind: definition.kind };
  return {
    uid: randomUUID(),
    kind,
    resource,
    ...(subresource === '' ? {} : { subResource: subresource, requestSubResource: subresource }),
    requestKind: asked.kind,
    requestResource: asked.resource,
    ...(name === '' ? {} : { name }),
    ...(namespace === '' ? {} : { namespace }),
    operation: operation.toUpperCase(),
    userInfo: user,
    object: operation === 'delete' ? null : shown({ ...typed, ...object }),
    oldObject: shown(old),
    dryRun,
    options: { kind: optionKinds[operation], apiVersion: 'meta.k8s.io/v1', ...(dryRun ? { dryRun: ['All'] } : {}) },
  };
}

/** What a webhook has answered. */
export interface Verdict {
  readonly allowed: boolean;
  readonly status?: Partial<Status>;
  /** A JSON patch. */
  readonly patch?: readonly unknown[];
  readonly warnings: readonly string[];
}

/** Reads an answer; throws an Error where it is not one to this review. */
export function verdictOf(answer: unknown, apiVersion: string, uid: unknown): Verdict {
  const review = isObject(answer as JsonValue) ? (answer as { kind?: unknown; apiVersion?: unknown; response?: unknown }) : {};
  if (review.kind !== 'AdmissionReview' || review.apiVersion !== apiVersion) {
    throw new Error(
      `expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${String(review.apiVersion)}, Kind=${String(review.kind)}`,
    );
  }
  if (!isObject(review.response as JsonValue)) throw new Error('webhook response was absent');
  const response = review.response as Record<string, unknown>;
  if (response['uid'] !== uid) throw new Error(`expected response.uid="${String(uid)}", got "${String(response['uid'])}"`);
  const { status, warnings, patch, patchType } = response;
  if (patch !== undefined && patchType !== 'JSONPatch') throw new Error(`invalid response.patchType, got "${String(patchType)}"`);
  return {
    allowed: response['allowed'] === true,
    warnings: Array.isArray(warnings) ? warnings.map(String) : [],
    ...(isObject(status as JsonValue) ? { status: status as Partial<Status> } : {}),
    ...(typeof patch === 'string' && patch !== '' ? { patch: JSON.parse(Buffer.from(patch, 'base64').toString()) as unknown[] } : {}),
  };
}

/** The refusal of a webhook, in kube-apiserver's words. */
export function denial(webhook: string, { status = {} }: Verdict): StatusError {
  const why = status.message || status.reason;
  const message = `admission webhook ${JSON.stringify(webhook)} denied the request${why ? `: ${why}` : ' without explanation'}`;
  return new StatusError(status.reason ?? '', message, {
    code: Math.max(status.code ?? 0, 400),
    ...(status.details === undefined ? {} : { details: status.details }),
  });
}
