import type { AdmissionContext } from '#apis/definition.ts';
import { disallowedFields, generic, invalidValue, missingField, outOfBounds, viaField, type Finding } from '#apis/knative/field-error.ts';
import { checkDns1035Label } from '#apis/meta/names.ts';
import type { KubeObject, ObjectMeta } from '#apis/meta/object.ts';
import { readConfig } from '#apis/serving/config/config-map.ts';
import {
  autoscalerTable,
  defaultsTable,
  featuresTable,
  type AutoscalerConfig,
  type DefaultsConfig,
  type FeaturesConfig,
} from '#apis/serving/config/tables.ts';
import { annotations, labels } from '#apis/serving/names.ts';
import type { RevisionSpec, RevisionTemplate } from '#apis/serving/v1/schemas.ts';
import {
  refuseAutoscaling,
  validateAutoscaling,
  validateNetworkingAnnotations,
  validateProgressDeadline,
  validateSidecarAnnotations,
} from '#apis/serving/validation/annotations.ts';
import { differenceText, sameValue } from '#apis/serving/validation/difference.ts';
import { validatePodSpec } from '#apis/serving/validation/pod-spec.ts';

const systemNamespace = 'knative-serving';

export interface ServingConfig {
  readonly defaults: DefaultsConfig;
  readonly features: FeaturesConfig;
  readonly autoscaler: AutoscalerConfig;
}

export function servingConfig(context: AdmissionContext): ServingConfig {
  return {
    defaults: readConfig(defaultsTable, context.config(systemNamespace, 'config-defaults')),
    features: readConfig(featuresTable, context.config(systemNamespace, 'config-features')),
    autoscaler: readConfig(autoscalerTable, context.config(systemNamespace, 'config-autoscaler')),
  };
}

/** Name and annotations of a Service, Configuration or Route (`withAutoscaling` false) or of a Revision (true). */
export function validateMetadata(metadata: ObjectMeta, config: ServingConfig, withAutoscaling: boolean): Finding[] {
  const notes = metadata.annotations ?? {};
  const autoscaling = withAutoscaling ? validateAutoscaling(notes, config.autoscaler) : refuseAutoscaling(notes);
  return [...validateNames(metadata), ...viaField('annotations', autoscaling)];
}

function validateNames({ name = '', generateName = '' }: ObjectMeta): Finding[] {
  if (generateName !== '') {
    const problems = checkPrefix(generateName);
    if (problems.length > 0) return [generic(`not a DNS 1035 label prefix: [${problems.join(' ')}]`, 'generateName')];
  }
  if (name !== '') {
    const problems = checkDns1035Label(name);
    if (problems.length > 0) return [generic(`not a DNS 1035 label: [${problems.join(' ')}]`, 'name')];
  }
  return name === '' && generateName === '' ? [generic('name or generateName is required', 'name')] : [];
}

/** A prefix may end in a dash: what follows is generated. */
function checkPrefix(prefix: string): readonly string[] {
  return checkDns1035Label(prefix.endsWith('-') ? `${prefix.slice(0, -1)}a` : prefix);
}

export function validateTemplate(template: RevisionTemplate, parent: ObjectMeta, config: ServingConfig): Finding[] {
  const notes = template.metadata?.annotations ?? {};
  return [
    ...viaField('spec', validateRevisionSpec(template.spec ?? ({} as RevisionSpec), config)),
    ...viaField('metadata.annotations', [
      ...validateAutoscaling(notes, config.autoscaler),
      ...validateNetworkingAnnotations(notes),
      ...validateSidecarAnnotations(notes),
      ...validateProgressDeadline(notes),
    ]),
    ...validateTemplateName(template.metadata ?? {}, parent),
  ];
}

export function validateRevisionSpec(spec: RevisionSpec, { defaults, features }: ServingConfig): Finding[] {
  const findings = validatePodSpec(podPart(spec), features);
  const max = defaults['max-revision-timeout-seconds'];
  const { timeoutSeconds = 0, containerConcurrency } = spec;
  if (timeoutSeconds < 0 || timeoutSeconds > max) findings.push(outOfBounds(timeoutSeconds, 0, max, 'timeoutSeconds'));
  for (const field of ['responseStartTimeoutSeconds', 'idleTimeoutSeconds'] as const) {
    const value = spec[field] ?? 0;
    if (value < 0 || (timeoutSeconds > 0 && value > timeoutSeconds)) findings.push(outOfBounds(value, 0, timeoutSeconds, field));
  }
  if (containerConcurrency !== undefined) {
    const low = defaults['allow-container-concurrency-zero'] ? 0 : 1;
    const high = defaults['container-concurrency-max-limit'];
    if (containerConcurrency < low || containerConcurrency > high)
      findings.push(outOfBounds(containerConcurrency, low, high, 'containerConcurrency'));
  }
  return findings;
}

function podPart(spec: RevisionSpec): RevisionSpec {
  const { containerConcurrency: _c, timeoutSeconds: _t, responseStartTimeoutSeconds: _r, idleTimeoutSeconds: _i, ...pod } = spec;
  return pod as RevisionSpec;
}

function validateTemplateName({ name = '', generateName = '' }: ObjectMeta, parent: ObjectMeta): Finding[] {
  if (generateName !== '') {
    const problems = checkPrefix(generateName);
    if (problems.length > 0) return [invalidValue(`not a DNS 1035 label prefix: [${problems.join(' ')}]`, 'metadata.generateName')];
  }
  if (name === '') return [];
  const problems = checkDns1035Label(name);
  if (problems.length > 0) return [invalidValue(`not a DNS 1035 label: [${problems.join(' ')}]`, 'metadata.name')];
  if ((parent.name ?? '') === '' && (parent.generateName ?? '') !== '') return [disallowedFields('metadata.name')];
  const prefix = `${parent.name ?? ''}-`;
  return name.startsWith(prefix)
    ? []
    : [invalidValue(`${JSON.stringify(name)} must have prefix ${JSON.stringify(prefix)}`, 'metadata.name')];
}

/** A template that brings its own revision name must change the name whenever it changes anything else. */
export function verifyNameChange(template: RevisionTemplate | undefined, old: RevisionTemplate | undefined): Finding[] {
  const name = template?.metadata?.name ?? '';
  if (name === '' || name !== (old?.metadata?.name ?? '')) return [];
  if (sameValue(old, template)) return [];
  return [
    {
      message: 'Saw the following changes without a name change (-old +new)',
      paths: ['metadata.name'],
      details: differenceText(old, template),
    },
  ];
}

/** creator never changes; lastModifier only together with the spec. */
export function validateUserAnnotations(object: KubeObject & { spec?: unknown }, old: KubeObject & { spec?: unknown }): Finding[] {
  const now = object.metadata.annotations ?? {};
  const before = old.metadata.annotations ?? {};
  const findings: Finding[] = [];
  if (now[annotations.creator] !== before[annotations.creator])
    findings.push(generic('annotation value is immutable', annotations.creator));
  if (sameValue(old.spec, object.spec) && now[annotations.lastModifier] !== before[annotations.lastModifier]) {
    findings.push(invalidValue(now[annotations.lastModifier] ?? '', annotations.lastModifier));
  }
  return viaField('metadata.annotations', findings);
}

/**
 * A label that names an owner must be backed by an owner reference of that kind, when it is put there: an object whose owner goes without
 * it (`kubectl delete --cascade=orphan`) keeps the label. Knative refuses that too, and such a deletion never ends.
 */
export function validateOwnerLabel(metadata: ObjectMeta, old: ObjectMeta | undefined, label: 'service' | 'configuration'): Finding[] {
  const value = metadata.labels?.[labels[label]];
  if (value === undefined || value === old?.labels?.[labels[label]]) return [];
  const kind = label === 'service' ? 'Service' : 'Configuration';
  const owned = metadata.ownerReferences?.some((owner) => owner.kind === kind && owner.name === value) ?? false;
  return owned ? [] : viaField('metadata.labels', [missingField(labels[label])]);
}
