import { defineKind, resourceOf, type AdmissionContext, type Column, type KindVersion } from '#apis/definition.ts';
import { denied, generic, viaField, type Finding } from '#apis/knative/field-error.ts';
import { readyColumns } from '#apis/knative/status.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Schema } from '#apis/schema.ts';
import { modernConfigurationSpec, modernRevisionSpec, modernServiceSpec, withModernTraffic } from '#apis/serving/legacy.ts';
import { labels, servingGroup } from '#apis/serving/names.ts';
import { defaultsContext, defaultRevisionSpec, defaultTemplate, defaultTraffic, setUserInfo } from '#apis/serving/v1/defaults.ts';
import { schemas, type Configuration, type Revision, type RevisionTemplate, type Route, type Service } from '#apis/serving/v1/schemas.ts';
import { validateRolloutDuration } from '#apis/serving/validation/annotations.ts';
import { checkSamplePod } from '#apis/serving/validation/dry-run.ts';
import { differenceText, sameValue } from '#apis/serving/validation/difference.ts';
import {
  servingConfig,
  validateMetadata,
  validateOwnerLabel,
  validateRevisionSpec,
  validateTemplate,
  validateUserAnnotations,
  verifyNameChange,
} from '#apis/serving/validation/objects.ts';
import { validateTraffic } from '#apis/serving/validation/traffic.ts';

const webhook = 'validation.webhook.serving.knative.dev';
const categories = ['all', 'knative', 'serving'];

/** v1 is preferred and stored; the older versions are served with the shapes of 0.8 on top of v1's. */
function versions(modern: Schema, legacy: Schema, columns: readonly Column[]): KindVersion[] {
  return [
    { name: 'v1', schema: modern, served: true, columns },
    { name: 'v1beta1', schema: modern, served: true, columns },
    { name: 'v1alpha1', schema: legacy, served: true, columns },
  ];
}

type Modernize = (spec: Record<string, unknown>) => Record<string, unknown>;
type WithSpec = KubeObject & { spec?: Record<string, unknown> };

/**
 * Between versions only the spec's old shapes differ, and only on the way in: what comes out is inline in every version. They
 * are rewritten before defaulting and validation (`prepare`), and wherever else an object changes its version (`convert`).
 */
function modernizing(modernize: Modernize) {
  return {
    prepare(object: KubeObject): void {
      const target = object as WithSpec;
      if (target.spec !== undefined) target.spec = modernize(target.spec);
    },
    convert(object: KubeObject, fromVersion: string, toVersion: string): KubeObject {
      const result = { ...object, apiVersion: `${servingGroup}/${toVersion}` } as WithSpec;
      if (fromVersion === 'v1alpha1' && result.spec !== undefined) result.spec = modernize(result.spec);
      return result;
    },
  };
}

/** Throws what was found; without findings a dry run also looks at the pod that the template stands for. */
function refuse(findings: readonly Finding[], template?: RevisionTemplate, dryRun = false): readonly [] {
  if (findings.length > 0) throw denied(webhook, findings);
  if (dryRun) checkSamplePod(template, webhook);
  return [];
}

const names = (singular: string, shortNames: readonly string[]) => ({ singular, shortNames, categories });
const column = (name: string, value: string, type: Column['type'] = 'string'): Column => ({ name, type, value });
const latest: readonly Column[] = [
  column('LatestCreated', '.status.latestCreatedRevisionName'),
  column('LatestReady', '.status.latestReadyRevisionName'),
];
const url = column('URL', '.status.url');

export const serviceDefinition = defineKind<Service>({
  group: servingGroup,
  kind: 'Service',
  plural: 'services',
  ...names('service', ['kservice', 'ksvc']),
  versions: versions(schemas.service, schemas.legacyService, [url, ...latest, ...readyColumns]),
  ...modernizing(modernServiceSpec),
  default(service, context) {
    const spec = (service.spec ??= {});
    defaultTemplate((spec.template ??= {}), context.old?.spec?.template, defaultsContext(context, service));
    if ((spec.traffic ?? []).length === 0) spec.traffic = [{ percent: 100, latestRevision: true }];
    defaultTraffic(spec.traffic ?? []);
    setUserInfo(service, context, sameValue(context.old?.spec, service.spec));
  },
  validate(service, context) {
    if (context.subresource === 'status') return [];
    const config = servingConfig(context);
    const spec = service.spec ?? {};
    return refuse(
      [
        ...viaField('metadata', [
          ...validateMetadata(service.metadata, config, false),
          ...viaField('annotations', validateRolloutDuration(service.metadata.annotations ?? {})),
        ]),
        ...viaField('spec', [
          ...viaField('template', validateTemplate(spec.template ?? {}, service.metadata, config)),
          ...validateTraffic(spec.traffic ?? [], true),
        ]),
        ...(context.old === undefined ? [] : validateUserAnnotations(service, context.old)),
        ...viaField('spec.template', verifyNameChange(spec.template, context.old?.spec?.template)),
      ],
      spec.template,
      context.dryRun,
    );
  },
});
export const services = resourceOf(serviceDefinition);

export const configurationDefinition = defineKind<Configuration>({
  group: servingGroup,
  kind: 'Configuration',
  plural: 'configurations',
  ...names('configuration', ['config', 'cfg']),
  versions: versions(schemas.configuration, schemas.legacyConfiguration, [...latest, ...readyColumns]),
  ...modernizing((spec) => modernConfigurationSpec(spec, 'spec')),
  default(configuration, context) {
    const spec = (configuration.spec ??= {});
    defaultTemplate((spec.template ??= {}), context.old?.spec?.template, defaultsContext(context, configuration));
    if (!isOwned(configuration)) setUserInfo(configuration, context, sameValue(context.old?.spec, configuration.spec));
  },
  validate(configuration, context) {
    if (context.subresource === 'status') return [];
    const config = servingConfig(context);
    const template = configuration.spec?.template;
    return refuse(
      [
        ...viaField('metadata', validateMetadata(configuration.metadata, config, false)),
        ...validateOwnerLabel(configuration.metadata, context.old?.metadata, 'service'),
        ...viaField('spec.template', validateTemplate(template ?? {}, configuration.metadata, config)),
        ...userAnnotations(configuration, context),
        ...viaField('spec.template', verifyNameChange(template, context.old?.spec?.template)),
      ],
      template,
      context.dryRun,
    );
  },
});
export const configurations = resourceOf(configurationDefinition);

export const routeDefinition = defineKind<Route>({
  group: servingGroup,
  kind: 'Route',
  plural: 'routes',
  ...names('route', ['rt']),
  versions: versions(schemas.route, schemas.legacyRoute, [url, ...readyColumns]),
  ...modernizing(withModernTraffic),
  default(route, context) {
    defaultTraffic(route.spec?.traffic ?? []);
    if (!isOwned(route)) setUserInfo(route, context, sameValue(context.old?.spec, route.spec));
  },
  validate(route, context) {
    if (context.subresource === 'status') return [];
    const config = servingConfig(context);
    return refuse([
      ...viaField('metadata', [
        ...validateMetadata(route.metadata, config, false),
        ...viaField('annotations', validateRolloutDuration(route.metadata.annotations ?? {})),
      ]),
      ...validateOwnerLabel(route.metadata, context.old?.metadata, 'service'),
      ...viaField('spec', validateTraffic(route.spec?.traffic ?? [], false)),
      ...userAnnotations(route, context),
    ]);
  },
});
export const routes = resourceOf(routeDefinition);

export const revisionDefinition = defineKind<Revision>({
  group: servingGroup,
  kind: 'Revision',
  plural: 'revisions',
  ...names('revision', ['rev']),
  versions: versions(schemas.revision, schemas.legacyRevision, [
    column('Config Name', `.metadata.labels['${labels.configuration.replaceAll('.', '\\.')}']`),
    column('Generation', `.metadata.labels['${labels.configurationGeneration.replaceAll('.', '\\.')}']`),
    ...readyColumns,
    column('Actual Replicas', '.status.actualReplicas', 'integer'),
    column('Desired Replicas', '.status.desiredReplicas', 'integer'),
  ]),
  ...modernizing((spec) => modernRevisionSpec(spec, 'spec')),
  default(revision, context) {
    if (context.operation === 'create')
      defaultRevisionSpec((revision.spec ??= {} as NonNullable<Revision['spec']>), defaultsContext(context));
  },
  validate(revision, context) {
    if (context.subresource === 'status') return [];
    const config = servingConfig(context);
    return refuse([
      ...viaField('metadata', validateMetadata(revision.metadata, config, true)),
      ...validateOwnerLabel(revision.metadata, context.old?.metadata, 'configuration'),
      ...specFindings(revision, context, () =>
        viaField('spec', validateRevisionSpec(revision.spec ?? ({} as NonNullable<Revision['spec']>), config)),
      ),
    ]);
  },
});
export const revisions = resourceOf(revisionDefinition);

/** A revision's spec never changes. */
function specFindings(revision: Revision, { old }: AdmissionContext<Revision>, atCreation: () => Finding[]): Finding[] {
  if (old === undefined) return atCreation();
  if (sameValue(old.spec, revision.spec)) return [];
  return [{ ...generic('Immutable fields changed (-old +new)', 'spec'), details: differenceText(old.spec, revision.spec) }];
}

function userAnnotations<T extends KubeObject>(object: T, { old }: AdmissionContext<T>): Finding[] {
  return old === undefined || isOwned(object) ? [] : validateUserAnnotations(object, old);
}

function isOwned(object: KubeObject): boolean {
  return (object.metadata.ownerReferences ?? []).length > 0;
}
