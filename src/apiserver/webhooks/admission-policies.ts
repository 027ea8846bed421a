import type { MatchResources, ParamRef } from '#apis/admissionregistration/v1/match-resources.ts';
import type { ValidatingAdmissionPolicyBinding } from '#apis/admissionregistration/v1/validating-admission-policy-binding.ts';
import type { ValidatingAdmissionPolicy, Validation } from '#apis/admissionregistration/v1/validating-admission-policy.ts';
import { selectorMatches } from '#apis/meta/label-selector.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { StatusError, type StatusReason } from '#apis/meta/status.ts';
import type { KindVersion } from '#apis/definition.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { objectKeyOf, resourcePrefix } from '#apiserver/cache/watch-cache.ts';
import { objectsOf, type ServerContext } from '#apiserver/context.ts';
import { convertTo, storedKind } from '#apiserver/registry/kind-registry.ts';
import { evaluateExpression, expressionValues, unmetCondition } from '#apiserver/webhooks/conditions.ts';
import { matchedVersion, namespaceOf, type Constraints } from '#apiserver/webhooks/matching.ts';
import { reviewRequest } from '#apiserver/webhooks/review.ts';
import { CelError } from '#machinery/cel-environment.ts';

const group = 'admissionregistration.k8s.io';
const codes: Readonly<Record<string, number>> = { Unauthorized: 401, Forbidden: 403, Invalid: 422, RequestEntityTooLarge: 413 };

/** One policy as one binding applies it, to one parameter object or none. */
interface Application {
  readonly policy: ValidatingAdmissionPolicy;
  readonly binding: ValidatingAdmissionPolicyBinding;
  readonly version: KindVersion;
}

/** Evaluates ValidatingAdmissionPolicies where a binding applies them: refuses, warns, or (Audit) does neither. */
export function admissionPolicies(context: ServerContext): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionPolicy',
    check(request) {
      for (const application of applicationsOf(context, request)) {
        for (const params of paramsOf(context, request, application)) apply(context, request, application, params);
      }
    },
  };
}

function* applicationsOf(context: ServerContext, request: AdmissionRequest): Iterable<Application> {
  for (const binding of all<ValidatingAdmissionPolicyBinding>(context, 'validatingadmissionpolicybindings')) {
    const policy = policyOf(context, binding.spec.policyName);
    if (policy === undefined) continue;
    const version = matchedVersion(context, request, constraintsOf(policy.spec.matchConstraints));
    if (version === undefined) continue;
    const { matchResources } = binding.spec;
    if (matchResources !== undefined && !bindingMatches(context, request, matchResources)) continue;
    yield { policy, binding, version };
  }
}

/** A binding's match resources without rules only narrow by their selectors. */
function bindingMatches(context: ServerContext, request: AdmissionRequest, resources: MatchResources): boolean {
  const anything = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }];
  const constraints = constraintsOf(resources);
  const rules = constraints.rules.length === 0 ? anything : constraints.rules;
  return matchedVersion(context, request, { ...constraints, rules }) !== undefined;
}

function constraintsOf(resources: MatchResources = {}): Constraints {
  const { resourceRules = [], excludeResourceRules = [], matchPolicy, namespaceSelector, objectSelector } = resources;
  return {
    rules: resourceRules,
    exclude: excludeResourceRules,
    ...(matchPolicy === undefined ? {} : { matchPolicy }),
    ...(namespaceSelector === undefined ? {} : { namespaceSelector }),
    ...(objectSelector === undefined ? {} : { objectSelector }),
  };
}

/** The parameter objects of a binding; `undefined` alone where the policy takes none. */
function paramsOf(
  context: ServerContext,
  request: AdmissionRequest,
  { policy, binding }: Application,
): readonly (KubeObject | undefined)[] {
  const { paramKind } = policy.spec;
  const { paramRef } = binding.spec;
  if (paramKind === undefined || paramRef === undefined) return [undefined];
  const served = context.registry.findKind(paramKind.apiVersion, paramKind.kind);
  if (served === undefined) throw failed(policy, binding, `paramKind kind \`${paramKind.apiVersion}, Kind=${paramKind.kind}\` not known`);
  const { definition, version } = served;
  const stored = storedKind(definition);
  const namespace = definition.namespaced ? (paramRef.namespace ?? request.namespace) : '';
  const prefix = `${resourcePrefix(stored.group, stored.plural)}${namespace === '' ? '' : `${namespace}/`}`;
  const objects = objectsOf(context.cache, definition);
  const found =
    paramRef.name === undefined
      ? Array.from(objects.range(prefix)).filter((one) => selects(paramRef, one.object))
      : [objects.get(objectKeyOf(stored.group, stored.plural, namespace, paramRef.name))].filter((one) => one !== undefined);
  if (found.length > 0) return found.map((one) => convertTo(definition, one.object, version.name));
  if (paramRef.parameterNotFoundAction === 'Allow') return [];
  throw failed(policy, binding, 'no params found for policy binding with `Deny` parameterNotFoundAction');
}

function selects({ selector }: ParamRef, object: KubeObject): boolean {
  return selectorMatches(selector, object.metadata.labels);
}

function apply(context: ServerContext, request: AdmissionRequest, application: Application, params: KubeObject | undefined): void {
  const { policy, binding, version } = application;
  const fixed = { namespaceObject: namespaceOf(context, request), params };
  const values: Record<string, unknown> = expressionValues(reviewRequest(request, version), fixed);
  const ignores = policy.spec.failurePolicy === 'Ignore';
  try {
    if (unmetCondition(policy.spec.matchConditions, values) !== undefined) return;
  } catch (error) {
    if (ignores || !(error instanceof CelError)) return;
    return settle(request, application, error.message, undefined);
  }
  addVariables(policy, values);
  for (const validation of policy.spec.validations ?? []) {
    try {
      if (evaluateExpression(validation.expression, values) !== true)
        settle(request, application, messageOf(validation, values), validation);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      if (!ignores)
        settle(
          request,
          { policy, binding, version },
          `expression '${validation.expression}' resulted in error: ${error.message}`,
          undefined,
        );
    }
  }
}

/** In order: later ones may use earlier ones. One that fails is missing, and so fails what uses it. */
function addVariables({ spec }: ValidatingAdmissionPolicy, values: Record<string, unknown>): void {
  const variables = new Map<string, unknown>();
  values['variables'] = variables;
  for (const { name, expression } of spec.variables ?? []) {
    try {
      variables.set(name, evaluateExpression(expression, values));
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
    }
  }
}

function messageOf({ expression, message, messageExpression }: Validation, values: Record<string, unknown>): string {
  if (messageExpression !== undefined && messageExpression !== '') {
    try {
      const text = evaluateExpression(messageExpression, values);
      if (typeof text === 'string' && text.trim() !== '' && !text.includes('\n')) return text.trim();
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
    }
  }
  return message === undefined || message === '' ? `failed expression: ${expression.trim()}` : message;
}

function settle(request: AdmissionRequest, { policy, binding }: Application, message: string, validation: Validation | undefined): void {
  const { validationActions } = binding.spec;
  const [policyName, bindingName] = [policy.metadata.name ?? '', binding.metadata.name ?? ''];
  if (validationActions.includes('Warn')) {
    request.warn(`Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}': ${message}`);
  }
  if (validationActions.includes('Deny')) throw refusal(request, policyName, bindingName, message, validation?.reason);
}

function refusal(request: AdmissionRequest, policy: string, binding: string, message: string, given: string | undefined): StatusError {
  const reason = (given === undefined || given === '' ? 'Invalid' : given) as StatusReason;
  const { definition } = request.served;
  const subject = definition.group === '' ? definition.plural : `${definition.plural}.${definition.group}`;
  const text = `${subject} ${JSON.stringify(request.name)} is forbidden: ValidatingAdmissionPolicy '${policy}' with binding '${binding}' denied request: ${message}`;
  return new StatusError(reason, text, {
    code: codes[reason] ?? 422,
    details: {
      name: request.name,
      ...(definition.group === '' ? {} : { group: definition.group }),
      kind: definition.plural,
      causes: [{ message }],
    },
  });
}

function failed({ metadata }: ValidatingAdmissionPolicy, binding: ValidatingAdmissionPolicyBinding, text: string): StatusError {
  const message = `failed to configure binding: ${text}`;
  return new StatusError(
    'Forbidden',
    `policy '${metadata.name ?? ''}' with binding '${binding.metadata.name ?? ''}' denied request: ${message}`,
  );
}

function all<T extends KubeObject>({ cache }: ServerContext, plural: string): readonly T[] {
  return Array.from(cache.resource(group, plural).range(resourcePrefix(group, plural)), ({ object }) => object as T);
}

function policyOf({ cache }: ServerContext, name: string): ValidatingAdmissionPolicy | undefined {
  const plural = 'validatingadmissionpolicies';
  return cache.resource(group, plural).get(objectKeyOf(group, plural, '', name))?.object as ValidatingAdmissionPolicy | undefined;
}
