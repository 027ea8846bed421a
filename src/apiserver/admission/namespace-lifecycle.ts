import type { KubeObject } from '#apis/meta/object.ts';
import { forbidden, notFound, StatusError } from '#apis/meta/status.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { lookUp, type ServerContext } from '#apiserver/context.ts';

interface Namespace extends KubeObject {
  spec?: { finalizers?: string[] };
  status?: { phase?: string };
}

/** Finalizer of every namespace: its content is removed before it goes. */
export const namespaceFinalizer = 'kubernetes';
const nameLabel = 'kubernetes.io/metadata.name';

/**
 * Namespaces: what is created in one needs it to be there and not on its way out; a namespace itself gets its finalizer, phase
 * and name label, and keeps them (only `finalize` changes the finalizers).
 */
export function namespaceLifecycle(context: ServerContext): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    admit(request) {
      const { group, plural, namespaced } = request.served.definition;
      if (group === '' && plural === 'namespaces' && request.operation !== 'delete') return completeNamespace(request);
      if (namespaced && request.operation === 'create') requireActive(context, request);
      return undefined;
    },
  };
}

function completeNamespace({ object, old, subresource, name }: AdmissionRequest): void {
  const namespace = object as Namespace;
  namespace.metadata.labels = { ...namespace.metadata.labels, [nameLabel]: name };
  if (old === undefined) {
    namespace.spec = { finalizers: [...new Set([...(namespace.spec?.finalizers ?? []), namespaceFinalizer])] };
    namespace.status = { phase: 'Active' };
  } else if (subresource !== 'finalize') {
    const { finalizers } = (old as Namespace).spec ?? {};
    namespace.spec = finalizers === undefined ? {} : { finalizers: [...finalizers] };
  }
}

function requireActive(context: ServerContext, { namespace, name, served }: AdmissionRequest): void {
  const found = lookUp(context, '', 'namespaces', '', namespace) as Namespace | undefined;
  if (found === undefined) throw notFound('', 'namespaces', namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const { group, plural } = served.definition;
  const refusal = forbidden(group, plural, name, `unable to create new content in namespace ${namespace} because it is being terminated`);
  const cause = { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' };
  throw new StatusError('Forbidden', refusal.message, { details: { ...refusal.details, causes: [cause] } });
}
