import { disallowedFields, denied, type Finding } from '#apis/knative/field-error.ts';

/**
 * The shapes of `serving.knative.dev` up to 0.8 (v1alpha1), rewritten into those of v1. The deprecated field wins over the
 * inline one, as a re-applied manifest means what it says. Objects that carry no old field come back unchanged.
 */
type Json = Record<string, unknown>;

const validationWebhook = 'validation.webhook.serving.knative.dev';

/** Service.spec: runLatest, pinned, release (manual is refused) become template and traffic. */
export function modernServiceSpec(spec: Json): Json {
  const {
    runLatest,
    pinned,
    release,
    manual,
    generation: _generation,
    ...rest
  } = spec as Json & {
    runLatest?: { configuration?: Json };
    pinned?: { revisionName?: string; configuration?: Json };
    release?: { revisions?: string[]; rolloutPercent?: number; configuration?: Json };
  };
  if (manual !== undefined) throw denied(validationWebhook, [disallowedFields('spec.manual')]);
  const old = Object.entries({ runLatest, pinned, release }).filter(([, value]) => value !== undefined && value !== null);
  if (old.length > 1) {
    throw denied(validationWebhook, [{ message: 'expected exactly one, got both', paths: old.map(([name]) => `spec.${name}`).toSorted() }]);
  }
  const result = modernConfigurationSpec(rest, 'spec');
  const inline = result['template'];
  if (runLatest)
    return { ...result, ...inlined(runLatest.configuration, 'spec.runLatest', inline), traffic: [{ latestRevision: true, percent: 100 }] };
  if (pinned) {
    return {
      ...result,
      ...inlined(pinned.configuration, 'spec.pinned', inline),
      traffic: [{ revisionName: pinned.revisionName, latestRevision: false, percent: 100 }],
    };
  }
  if (release) {
    checkRelease(release.revisions, release.rolloutPercent);
    return {
      ...result,
      ...inlined(release.configuration, 'spec.release', inline),
      traffic: releaseTraffic(release.revisions ?? [], release.rolloutPercent ?? 0),
    };
  }
  return withModernTraffic(result);
}

/** Configuration.spec: revisionTemplate becomes template; build and generation are gone. */
export function modernConfigurationSpec(spec: Json, path: string): Json {
  const {
    revisionTemplate,
    template,
    generation: _generation,
    build,
    ...rest
  } = spec as Json & { revisionTemplate?: Json; template?: Json };
  if (build !== undefined) throw denied(validationWebhook, [disallowedFields(`${path}.build`)]);
  if (revisionTemplate === undefined)
    return template === undefined ? rest : { ...rest, template: modernTemplate(template, `${path}.template`) };
  return { ...rest, template: keepServiceLinks(modernTemplate(revisionTemplate, `${path}.revisionTemplate`), template) };
}

/**
 * enableServiceLinks is defaulted when an object is created and never again: an old template that is applied once more on top
 * of the stored one says nothing about it and must not seem changed.
 */
function keepServiceLinks(template: Json, stored: unknown): Json {
  const kept = isObject(stored) && isObject(stored['spec']) ? stored['spec']['enableServiceLinks'] : undefined;
  const spec = template['spec'];
  return kept === undefined || !isObject(spec) ? template : { ...template, spec: { enableServiceLinks: kept, ...spec } };
}

/** Route.spec: a traffic entry's deprecated `name` is its tag. */
export function withModernTraffic(spec: Json): Json {
  const { generation: _generation, traffic, ...rest } = spec as Json & { traffic?: unknown };
  if (!Array.isArray(traffic)) return traffic === undefined ? rest : { ...rest, traffic };
  return { ...rest, traffic: (traffic as unknown[]).map(modernTarget) };
}

/** Revision.spec: the singular container, concurrencyModel, and fields that lost their meaning. */
export function modernRevisionSpec(spec: Json, path: string): Json {
  const {
    container,
    concurrencyModel,
    generation: _generation,
    servingState: _servingState,
    buildName: _buildName,
    buildRef,
    ...rest
  } = spec as Json & {
    container?: Json;
    containerConcurrency?: number;
  };
  if (buildRef !== undefined) throw denied(validationWebhook, [disallowedFields(`${path}.buildRef`)]);
  const result: Json = { ...rest };
  if (container !== undefined && container !== null) result['containers'] = [container];
  if (concurrencyModel === 'Single' && (rest.containerConcurrency ?? 0) === 0) result['containerConcurrency'] = 1;
  return result;
}

function modernTemplate(template: Json, path: string): Json {
  const spec = template['spec'];
  return isObject(spec) ? { ...template, spec: modernRevisionSpec(spec, `${path}.spec`) } : template;
}

/** The configuration of an old mode, in place of an inline template; without one the inline template stays. */
function inlined(configuration: Json | undefined, path: string, stored: unknown): Json {
  if (configuration === undefined) return {};
  const spec = modernConfigurationSpec(configuration, `${path}.configuration`);
  return isObject(spec['template']) ? { ...spec, template: keepServiceLinks(spec['template'], stored) } : spec;
}

function modernTarget(target: unknown): unknown {
  if (!isObject(target) || !('name' in target)) return target;
  const { name, ...rest } = target;
  return name === undefined || name === '' ? rest : { ...rest, tag: name };
}

function checkRelease(revisions: readonly string[] = [], rolloutPercent = 0): void {
  const findings: Finding[] = [];
  if (revisions.length < 1 || revisions.length > 2) {
    findings.push({ message: `expected 1 <= ${revisions.length} <= 2`, paths: ['spec.release.revisions'] });
  }
  if (rolloutPercent < 0 || rolloutPercent > 99)
    findings.push({ message: `expected 0 <= ${rolloutPercent} <= 99`, paths: ['spec.release.rolloutPercent'] });
  if (revisions.length === 1 && rolloutPercent !== 0) {
    findings.push({ message: `invalid value: ${rolloutPercent}`, paths: ['spec.release.rolloutPercent'] });
  }
  if (findings.length > 0) throw denied(validationWebhook, findings);
}

/** The targets a 0.8 release meant: current, candidate, and the latest revision under its tag. */
function releaseTraffic(revisions: readonly string[], rolloutPercent: number): Json[] {
  const [current = '@latest', candidate] = revisions;
  return [
    { ...revisionTarget(current), percent: candidate === undefined ? 100 : 100 - rolloutPercent, tag: 'current' },
    ...(candidate === undefined ? [] : [{ ...revisionTarget(candidate), percent: rolloutPercent, tag: 'candidate' }]),
    { latestRevision: true, percent: 0, tag: 'latest' },
  ];
}

function revisionTarget(name: string): Json {
  return name === '@latest' ? { latestRevision: true } : { revisionName: name, latestRevision: false };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
