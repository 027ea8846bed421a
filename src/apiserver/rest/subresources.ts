import { tokenRequestDefinition, type TokenRequest } from '#apis/authentication/v1/token-request.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { bindingDefinition } from '#apis/core/v1/binding.ts';
import { fieldInvalid, fieldNotSupported, invalid } from '#apis/meta/field-error.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { badRequest, conflict, notFound } from '#apis/meta/status.ts';
import { apiAudience } from '#apiserver/auth/authenticator.ts';
import type { BoundObject, ServiceAccountTokens } from '#apiserver/auth/service-account-tokens.ts';
import { keyOfCall, lookUp, type ResourceCall } from '#apiserver/context.ts';
import type { Subresource } from '#apiserver/discovery/subresources.ts';
import { receiveObject } from '#apiserver/negotiation/body.ts';
import type { ApiResponse, SubresourceHandler } from '#apiserver/request.ts';
import { decodedBody, receiveChecked } from '#apiserver/rest/checked-body.ts';
import { plainResponse } from '#apiserver/rest/commit.ts';
import { evict } from '#apiserver/rest/eviction.ts';
import { approve } from '#apiserver/rest/certificate-approval.ts';
import { update } from '#apiserver/rest/dispatch.ts';
import { getResponse } from '#apiserver/rest/get.ts';
import { patchObject } from '#apiserver/rest/patch.ts';
import { bindPod } from '#apiserver/rest/pod-binding.ts';
import { viewOf } from '#apiserver/rest/resource-scope.ts';
import { draftOf } from '#apiserver/rest/stages.ts';
import { currentState, updateObject, type Share } from '#apiserver/rest/update.ts';
import { parseWriteOptions } from '#apiserver/rest/write-options.ts';
import { rfc3339 } from '#core/clock.ts';

const minTokenSeconds = 600;
const maxTokenSeconds = 2 ** 32;

/** Subresources the API server serves by itself. */
export function builtinSubresources(tokens: ServiceAccountTokens): readonly Subresource[] {
  return [
    { group: '', plural: 'pods', name: 'binding', kind: 'Binding', verbs: ['create'], run: binding },
    { group: '', plural: 'pods', name: 'ephemeralcontainers', kind: 'Pod', verbs: ['get', 'patch', 'update'], run: ephemeralContainers },
    { group: '', plural: 'pods', name: 'eviction', kind: 'Eviction', verbs: ['create'], run: evict },
    {
      group: '',
      plural: 'serviceaccounts',
      name: 'token',
      kind: 'TokenRequest',
      verbs: ['create'],
      run: (call) => issueToken(call, tokens),
    },
    {
      group: 'certificates.k8s.io',
      plural: 'certificatesigningrequests',
      name: 'approval',
      kind: 'CertificateSigningRequest',
      verbs: ['get', 'update'],
      run: approve,
    },
    { group: '', plural: 'namespaces', name: 'finalize', kind: 'Namespace', verbs: ['update'], run: finalize },
  ];
}

/** A subresource served by somebody else: looks the parent up, then hands over. */
export function foreignSubresource(handler: SubresourceHandler): Subresource {
  const { group, plural, name, kind, verbs } = handler;
  const run = async (call: ResourceCall): Promise<ApiResponse> => {
    const { info, request, user } = call;
    // A proxy name may be `scheme:name:port`.
    const parts = info.name.split(':');
    const parentName = name === 'proxy' && parts.length > 1 ? (parts.length === 3 ? parts[1] : parts[0]) : info.name;
    const current = await currentState(call, keyOfCall(call, parentName));
    const parent = current.objectIn(viewOf(call.served));
    return handler.handle({ request, user, namespace: info.namespace, name: info.name, rest: info.rest, parent });
  };
  return { group, plural, name, kind, verbs, run };
}

async function binding(call: ResourceCall): Promise<ApiResponse> {
  return bindPod(call, await receiveChecked(call, bindingDefinition));
}

/** A pod's containers for debugging: added here alone, and never taken away. */
function ephemeralContainers(call: ResourceCall): Promise<ApiResponse> {
  const share: Share = (received, draft) => {
    const { ephemeralContainers: wanted } = (received as Partial<Pod>).spec ?? {};
    const { spec } = draft as Pod;
    if (wanted === undefined) delete spec.ephemeralContainers;
    else spec.ephemeralContainers = wanted;
  };
  if (call.info.verb === 'get') return Promise.resolve(getResponse(call));
  return call.info.verb === 'update' ? update(call, share) : patchObject(call, share);
}

async function finalize(call: ResourceCall): Promise<ApiResponse> {
  const { served } = call;
  const options = parseWriteOptions(call, 'UpdateOptions');
  const { value } = await receiveObject(call.request, { apiVersion: 'v1', kind: 'Namespace', schema: served.version.schema });
  const body = decodedBody(value, served.version.schema) as KubeObject & { spec?: { finalizers?: string[] } };
  return updateObject(call, options, {
    subresource: 'finalize',
    part: 'all',
    next: (stored) => {
      const namespace = draftOf(stored) as KubeObject & { spec?: { finalizers?: string[] } };
      namespace.spec = { finalizers: body.spec?.finalizers ?? [] };
      namespace.metadata.resourceVersion = body.metadata.resourceVersion ?? '';
      return namespace;
    },
  });
}

async function issueToken(call: ResourceCall, tokens: ServiceAccountTokens): Promise<ApiResponse> {
  const request = await receiveChecked(call, tokenRequestDefinition);
  const account = (await currentState(call, keyOfCall(call))).object;
  const { namespace, name } = call.info;
  const { audiences = [], expirationSeconds = 3600, boundObjectRef } = request.spec;
  if (expirationSeconds < minTokenSeconds || expirationSeconds > maxTokenSeconds) {
    const text =
      expirationSeconds < minTokenSeconds
        ? 'may not specify a duration less than 10 minutes'
        : 'may not specify a duration larger than 2^32 seconds';
    throw invalid('authentication.k8s.io', 'TokenRequest', name, [fieldInvalid('spec.expirationSeconds', expirationSeconds, text)]);
  }
  const bound = boundObjectRef === undefined ? undefined : boundObject(call, boundObjectRef);
  const granted = audiences.length === 0 ? [apiAudience] : audiences;
  const { token, expiresMs } = await tokens.issue({
    namespace,
    name,
    uid: account.metadata.uid ?? '',
    audiences: granted,
    expirationSeconds,
    ...(bound === undefined ? {} : { bound }),
  });
  const { uid: _uid, ...metadata } = request.metadata;
  return plainResponse(
    {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { ...metadata, name, namespace, creationTimestamp: call.now },
      spec: { ...request.spec, audiences: granted, expirationSeconds },
      status: { token, expirationTimestamp: rfc3339(expiresMs) },
    },
    201,
  );
}

type Reference = NonNullable<TokenRequest['spec']['boundObjectRef']>;
const boundPlurals: Readonly<Record<string, string>> = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' };

/** The object a token is to be tied to; it has to exist, to be the one meant, and, a pod, to run as this ServiceAccount. */
function boundObject(call: ResourceCall, { kind = '', name = '', uid = '' }: Reference): BoundObject {
  const plural = boundPlurals[kind];
  const { namespace, name: account } = call.info;
  if (plural === undefined)
    throw invalid('authentication.k8s.io', 'TokenRequest', account, [
      fieldNotSupported('spec.boundObjectRef.kind', kind, Object.keys(boundPlurals)),
    ]);
  const object = lookUp(call.context, '', plural, kind === 'Node' ? '' : namespace, name);
  if (object === undefined) throw notFound('', plural, name);
  const actual = object.metadata.uid ?? '';
  if (uid !== '' && uid !== actual)
    throw conflict(
      '',
      plural,
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (kind !== 'Pod') return { kind: kind as BoundObject['kind'], name, uid: actual };
  const { serviceAccountName = '', nodeName = '' } = (object as { spec?: { serviceAccountName?: string; nodeName?: string } }).spec ?? {};
  if (serviceAccountName !== account)
    throw badRequest(`cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`);
  const node = nodeName === '' ? undefined : nodeOf(call, nodeName);
  return { kind: 'Pod', name, uid: actual, ...(node === undefined ? {} : { node }) };
}

function nodeOf(call: ResourceCall, name: string): { name: string; uid?: string } {
  const uid = lookUp(call.context, '', 'nodes', '', name)?.metadata.uid;
  return uid === undefined ? { name } : { name, uid };
}
