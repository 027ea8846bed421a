import type { SubresourceRegistry } from '#apiserver/discovery/subresources.ts';
import { kubernetesVersion } from '#apis/dormouse/version.ts';
import { Components, componentName, type OpenApiSchema } from '#apiserver/openapi/schemas.ts';
import { isReviewKind, verbsOf, type ServedKind } from '#apiserver/registry/kind-registry.ts';
import { patchTypesOf } from '#apiserver/rest/patch-types.ts';

type Operation = Readonly<Record<string, unknown>>;

const text = (name: string, description: string) => ({ name, in: 'query', description, schema: { type: 'string', uniqueItems: true } });
const writeParameters = [
  text('dryRun', 'All: the request is carried out but nothing is stored.'),
  text('fieldManager', 'Name of the actor who makes the change.'),
  text('fieldValidation', 'How to treat unknown and duplicate fields: Ignore, Warn or Strict.'),
];
const listParameters = [
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'timeoutSeconds',
  'watch',
].map((name) => text(name, ''));
const bodyTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/**
 * The OpenAPI 3.0 document of one group version: as much as clients act on. Writes name their kind and the
 * `fieldValidation` parameter (kubectl validates on the server only when it sees it), patches list their media types.
 */
export function openApiDocument(group: string, version: string, kinds: readonly ServedKind[], subresources: SubresourceRegistry): unknown {
  const components = new Components();
  const paths: Record<string, unknown> = {};
  for (const served of kinds) addKind(served, group, version, components, paths, subresources);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: kubernetesVersion },
    paths,
    components: { schemas: components.schemas },
  };
}

function addKind(
  served: ServedKind,
  group: string,
  version: string,
  components: Components,
  paths: Record<string, unknown>,
  subresources: SubresourceRegistry,
): void {
  const { definition } = served;
  const name = componentName(definition, version, served.version.schema);
  const identity = { group, version, kind: definition.kind };
  components.addKind(name, served.version.schema, identity);
  const reference = { $ref: `#/components/schemas/${name}` };
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = `${root}${definition.namespaced ? '/namespaces/{namespace}' : ''}/${definition.plural}`;
  const list = addList(components, name, definition.listKind, identity, reference);
  const verbs = new Set<string>(verbsOf(definition));
  const operations = new Operations(identity, reference, patchTypesOf(served));
  const within = definition.namespaced ? [pathParameter('namespace')] : [];
  paths[collection] = {
    parameters: within,
    ...(verbs.has('list') ? { get: operations.read('list', list, listParameters) } : {}),
    ...(verbs.has('create') ? { post: operations.write('post') } : {}),
    ...(verbs.has('deletecollection') ? { delete: operations.remove('deletecollection') } : {}),
  };
  if (isReviewKind(definition)) return;
  const object = { parameters: [pathParameter('name'), ...within], get: operations.read('get', reference, []) };
  const stored = { ...object, put: operations.write('put'), patch: operations.patch() };
  paths[`${collection}/{name}`] = {
    ...(verbs.has('patch') ? stored : object),
    ...(verbs.has('delete') ? { delete: operations.remove('delete') } : {}),
  };
  for (const { name: subresource } of subresources.of(definition, version)) {
    if (subresource === 'status') paths[`${collection}/{name}/status`] = stored;
  }
}

function addList(
  components: Components,
  name: string,
  listKind: string,
  identity: { group: string; version: string },
  item: OpenApiSchema,
): OpenApiSchema {
  const listName = `${name}List`;
  const string = { type: 'string' };
  components.add(listName, {
    type: 'object',
    required: ['items'],
    properties: { apiVersion: string, kind: string, metadata: { type: 'object' }, items: { type: 'array', items: item } },
    'x-kubernetes-group-version-kind': [{ group: identity.group, version: identity.version, kind: listKind }],
  });
  return { $ref: `#/components/schemas/${listName}` };
}

function pathParameter(name: string): Operation {
  return { name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } };
}

class Operations {
  readonly #identity: { readonly group: string; readonly version: string; readonly kind: string };
  readonly #reference: OpenApiSchema;
  readonly #patchTypes: readonly string[];

  constructor(identity: { group: string; version: string; kind: string }, reference: OpenApiSchema, patchTypes: readonly string[]) {
    this.#identity = identity;
    this.#reference = reference;
    this.#patchTypes = patchTypes;
  }

  read(action: string, answer: OpenApiSchema, parameters: readonly unknown[]): Operation {
    return this.#operation(action, answer, { parameters });
  }

  write(action: 'post' | 'put'): Operation {
    return this.#operation(action, this.#reference, { parameters: writeParameters, requestBody: body(bodyTypes, this.#reference) });
  }

  patch(): Operation {
    const parameters = [...writeParameters, text('force', 'Apply only: take over fields that others manage.')];
    return this.#operation('patch', this.#reference, { parameters, requestBody: body(this.#patchTypes, { type: 'object' }) });
  }

  remove(action: string): Operation {
    const parameters = [text('dryRun', ''), text('gracePeriodSeconds', ''), text('propagationPolicy', '')];
    return this.#operation(action, { type: 'object' }, { parameters });
  }

  #operation(action: string, answer: OpenApiSchema, rest: Operation): Operation {
    return {
      ...rest,
      responses: { '200': { description: 'OK', content: { 'application/json': { schema: answer } } } },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': this.#identity,
    };
  }
}

function body(types: readonly string[], schema: OpenApiSchema): Operation {
  return { required: true, content: Object.fromEntries(types.map((type) => [type, { schema }])) };
}
