import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '#apis/core/v1/scheduling.ts';
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkQualifiedName } from '#apis/meta/names.ts';
import { each, inRange, invalidFor, labelSelectorErrors, positive, requiredText, type Errors } from '#apis/meta/validation.ts';

const effects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

export function validateTolerations(tolerations: readonly Toleration[] | undefined, at: string): Errors {
  return each(tolerations, at, (toleration, field) => {
    const { key = '', operator = '', value = '', effect = '', tolerationSeconds } = toleration;
    const errors: FieldError[] = key === '' ? [] : [...invalidFor(`${field}.key`, key, checkQualifiedName(key))];
    if (key === '' && operator !== 'Exists') {
      const text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(fieldInvalid(`${field}.operator`, operator, text));
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.push(fieldInvalid(`${field}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (operator === 'Exists' && value !== '') {
      errors.push(fieldInvalid(`${field}.operator`, toleration, "value must be empty when `operator` is 'Exists'"));
    } else if (!['', 'Equal', 'Exists'].includes(operator)) {
      errors.push(fieldNotSupported(`${field}.operator`, operator, ['Equal', 'Exists']));
    }
    if (effect !== '' && !effects.includes(effect)) errors.push(fieldNotSupported(`${field}.effect`, effect, effects));
    return errors;
  });
}

export function validateTopologySpread(constraints: readonly TopologySpreadConstraint[] | undefined, at: string): Errors {
  return each(constraints, at, ({ maxSkew, minDomains, topologyKey, labelSelector }, field) => [
    ...(maxSkew > 0 ? [] : [fieldInvalid(`${field}.maxSkew`, maxSkew, 'must be greater than zero')]),
    ...requiredText(`${field}.topologyKey`, topologyKey, 'can not be empty'),
    ...positive(`${field}.minDomains`, minDomains),
    ...labelSelectorErrors(`${field}.labelSelector`, labelSelector),
  ]);
}

export function validateAffinity(affinity: Affinity | undefined, at: string): Errors {
  if (affinity === undefined) return [];
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
  return [
    ...(required === undefined
      ? []
      : nodeSelectorErrors(
          required.nodeSelectorTerms,
          `${at}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`,
        )),
    ...each(nodeAffinity?.[preferred], `${at}.nodeAffinity.${preferred}`, ({ weight, preference }, field) => [
      ...weightErrors(weight, field),
      ...termErrors(preference, `${field}.preference`),
    ]),
    ...podTermsErrors(podAffinity, `${at}.podAffinity`),
    ...podTermsErrors(podAntiAffinity, `${at}.podAntiAffinity`),
  ];
}

/** Terms of a node selector; at least one. */
export function nodeSelectorErrors(terms: readonly NodeSelectorTerm[], at: string): Errors {
  if (terms.length === 0) return [fieldRequired(at, 'must have at least one node selector term')];
  return each(terms, at, termErrors);
}

function termErrors({ matchExpressions, matchFields }: NodeSelectorTerm, at: string): Errors {
  return [
    ...each(matchExpressions, `${at}.matchExpressions`, (one, field) => [
      ...operatorErrors(one, field),
      ...invalidFor(`${field}.key`, one.key, checkQualifiedName(one.key)),
    ]),
    ...each(matchFields, `${at}.matchFields`, (one, field) => {
      if (one.key !== 'metadata.name') return [fieldInvalid(`${field}.key`, one.key, 'not a valid field selector key')];
      return (one.values ?? []).length === 1
        ? []
        : [fieldRequired(`${field}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")];
    }),
  ];
}

function operatorErrors({ operator, values = [] }: NodeSelectorRequirement, at: string): Errors {
  if (operator === 'In' || operator === 'NotIn') {
    return values.length > 0 ? [] : [fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
  }
  if (operator === 'Gt' || operator === 'Lt') {
    return values.length === 1 ? [] : [fieldRequired(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
  }
  return values.length === 0 ? [] : [fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
}

interface PodTerms {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodAffinityTerm[];
  readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly {
    readonly weight: number;
    readonly podAffinityTerm: PodAffinityTerm;
  }[];
}

function podTermsErrors(terms: PodTerms | undefined, at: string): Errors {
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
  return [
    ...each(terms?.[required], `${at}.${required}`, podTermErrors),
    ...each(terms?.[preferred], `${at}.${preferred}`, ({ weight, podAffinityTerm }, field) => [
      ...weightErrors(weight, field),
      ...podTermErrors(podAffinityTerm, `${field}.podAffinityTerm`),
    ]),
  ];
}

function podTermErrors({ labelSelector, namespaceSelector, topologyKey }: PodAffinityTerm, at: string): Errors {
  return [
    ...labelSelectorErrors(`${at}.labelSelector`, labelSelector),
    ...labelSelectorErrors(`${at}.namespaceSelector`, namespaceSelector),
    ...(topologyKey === ''
      ? [fieldRequired(`${at}.topologyKey`, 'can not be empty')]
      : invalidFor(`${at}.topologyKey`, topologyKey, checkQualifiedName(topologyKey))),
  ];
}

function weightErrors(weight: number, at: string): Errors {
  return inRange(at, weight, 1, 100).length === 0 ? [] : [fieldInvalid(`${at}.weight`, weight, 'must be in the range 1-100')];
}
