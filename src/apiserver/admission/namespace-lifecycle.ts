import { forbidden, notFound, StatusError } from '#apis/meta/status.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { lookUp, type ServerContext } from '#apiserver/context.ts';

/** What is created in a namespace needs it to be there, and not on its way out. */
export function namespaceLifecycle(context: ServerContext): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    admit(request) {
      if (request.served.definition.namespaced && request.operation === 'create') requireActive(context, request);
    },
  };
}

function requireActive(context: ServerContext, { namespace, name, served }: AdmissionRequest): void {
  const found = lookUp(context, '', 'namespaces', '', namespace);
  if (found === undefined) throw notFound('', 'namespaces', namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const { group, plural } = served.definition;
  const refusal = forbidden(group, plural, name, `unable to create new content in namespace ${namespace} because it is being terminated`);
  const cause = { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' };
  throw new StatusError('Forbidden', refusal.message, { details: { ...refusal.details, causes: [cause] } });
}
