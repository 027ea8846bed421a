import type { CustomResourceDefinition } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { invalid } from '#apis/meta/field-error.ts';
import type { Schema } from '#apis/schema.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { structuralErrors } from '#apiserver/custom/structural-schema.ts';
import { compileRules } from '#machinery/cel.ts';
import type { KindRegistry } from '#apiserver/registry/kind-registry.ts';

export const definitionGroup = 'apiextensions.k8s.io';
export const definitionPlural = 'customresourcedefinitions';
/** Holds a definition until its objects are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

type Condition = NonNullable<NonNullable<CustomResourceDefinition['status']>['conditions']>[number];

/**
 * Checks a CustomResourceDefinition's schemas and settles its status in the very write that changes it: names accepted,
 * established, versions stored. So a kind is served as soon as its definition is there.
 */
export function definitionAdmission(registry: KindRegistry): AdmissionPlugin {
  const concerns = ({ served, operation }: AdmissionRequest) =>
    served.definition.group === definitionGroup && served.definition.plural === definitionPlural && operation !== 'delete';
  return {
    name: 'CustomResourceDefinition',
    admit(request) {
      if (!concerns(request) || request.subresource !== '') return;
      const crd = request.object as CustomResourceDefinition;
      if (request.operation === 'create') crd.metadata.finalizers = [...new Set([...(crd.metadata.finalizers ?? []), cleanupFinalizer])];
      settle(crd, registry, request.now);
    },
    check(request) {
      if (!concerns(request)) return;
      const crd = request.object as CustomResourceDefinition;
      const errors = crd.spec.versions.flatMap((version, index) => {
        const path = `spec.versions[${index}].schema.openAPIV3Schema`;
        const schema = (version.schema?.openAPIV3Schema ?? {}) as Schema;
        const findings = structuralErrors(schema, path);
        return findings.length > 0 ? findings : compileRules(schema, path).errors;
      });
      if (errors.length > 0) throw invalid(definitionGroup, 'CustomResourceDefinition', crd.metadata.name ?? '', errors);
    },
  };
}

function settle(crd: CustomResourceDefinition, registry: KindRegistry, now: string): void {
  const conflict = nameConflict(crd, registry);
  const stored = crd.spec.versions.filter((version) => version.storage).map((version) => version.name);
  const { conditions = [], acceptedNames, storedVersions = [] } = crd.status ?? {};
  const accepted: Omit<Condition, 'lastTransitionTime'> =
    conflict === undefined
      ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type: 'NamesAccepted', status: 'False', reason: 'NameConflict', message: conflict };
  const established: Omit<Condition, 'lastTransitionTime'> =
    conflict === undefined
      ? { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
      : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' };
  const wasEstablished = conditions.some(({ type, status }) => type === 'Established' && status === 'True');
  const renewed = wasEstablished ? [accepted] : [accepted, established];
  crd.status = {
    ...crd.status,
    acceptedNames: conflict === undefined ? crd.spec.names : (acceptedNames ?? { kind: '', plural: '' }),
    storedVersions: [...new Set([...storedVersions, ...stored])],
    conditions: renewed.reduce<Condition[]>((list, condition) => withCondition(list, condition, now), [...conditions]),
  };
}

function withCondition(conditions: Condition[], condition: Omit<Condition, 'lastTransitionTime'>, now: string): Condition[] {
  const old = conditions.find(({ type }) => type === condition.type);
  const since = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
  return [...conditions.filter(({ type }) => type !== condition.type), { lastTransitionTime: since, ...condition }];
}

/** A name of the definition that another kind of its group has already. */
function nameConflict({ spec }: CustomResourceDefinition, registry: KindRegistry): string | undefined {
  const { group, names } = spec;
  const others = registry.definitions().filter((other) => other.group === group && other.plural !== names.plural);
  const wanted = [names.plural, names.singular ?? names.kind.toLowerCase(), ...(names.shortNames ?? [])];
  for (const other of others) {
    const taken = [other.plural, other.singular, ...other.shortNames];
    const name = wanted.find((one) => taken.includes(one));
    if (name !== undefined) return `${JSON.stringify(name)} is already in use`;
    if (other.kind === names.kind || other.listKind === names.listKind) return `${JSON.stringify(names.kind)} is already in use`;
  }
  return undefined;
}
