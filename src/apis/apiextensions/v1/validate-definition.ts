import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkDns1035Label, checkDns1123Subdomain } from '#apis/meta/names.ts';
import { each, immutable, invalidFor, requiredName, type Errors } from '#apis/meta/validation.ts';

/** Fills the names a definition may leave to its kind. */
export function setDefinitionDefaults({ spec }: CustomResourceDefinition): void {
  const { names } = spec;
  if ((names.singular ?? '') === '') names.singular = names.kind.toLowerCase();
  if ((names.listKind ?? '') === '' && names.kind !== '') names.listKind = `${names.kind}List`;
}

/** Findings about names, versions and conversion; what a structural schema may hold is checked where it is compiled. */
export function validateDefinition({ metadata, spec }: CustomResourceDefinition): Errors {
  const { group, names, versions, conversion } = spec;
  const expected = `${names.plural}.${group}`;
  const errors: FieldError[] = [];
  if (metadata.name !== expected) {
    errors.push(fieldInvalid('metadata.name', metadata.name, `must be spec.names.plural+"."+spec.group`));
  }
  if (group === '') errors.push(fieldRequired('spec.group'));
  else if (!group.includes('.')) errors.push(fieldInvalid('spec.group', group, 'should be a domain with at least one dot'));
  else errors.push(...invalidFor('spec.group', group, checkDns1123Subdomain(group)));
  errors.push(...nameErrors(names), ...versionsErrors(versions));
  if (conversion?.strategy === 'Webhook') {
    if (conversion.webhook === undefined) errors.push(fieldRequired('spec.conversion.webhook'));
    else if (conversion.webhook.conversionReviewVersions.length === 0) {
      errors.push(fieldRequired('spec.conversion.webhook.conversionReviewVersions'));
    }
  } else if (conversion?.webhook !== undefined) {
    errors.push({
      type: 'FieldValueForbidden',
      field: 'spec.conversion.webhook',
      message: 'Forbidden: should not be set when strategy is not set to Webhook',
    });
  }
  if (spec.preserveUnknownFields === true) {
    errors.push(fieldInvalid('spec.preserveUnknownFields', true, 'must be false in order to use defaults in the schema'));
  }
  return errors;
}

function nameErrors({ plural, singular = '', kind, listKind = '', shortNames }: CustomResourceDefinition['spec']['names']): Errors {
  const at = 'spec.names';
  const kindErrors = (field: string, value: string) =>
    invalidFor(field, value, checkDns1035Label(value.toLowerCase())).map((error) => ({
      ...error,
      message: error.message.replace(': a DNS-1035', ': may have mixed case, but should otherwise match: a DNS-1035'),
    }));
  return [
    ...requiredName(`${at}.plural`, plural, checkDns1035Label),
    ...(singular === '' ? [] : invalidFor(`${at}.singular`, singular, checkDns1035Label(singular))),
    ...(kind === '' ? [fieldRequired(`${at}.kind`)] : kindErrors(`${at}.kind`, kind)),
    ...(listKind === '' ? [] : kindErrors(`${at}.listKind`, listKind)),
    ...(kind !== '' && kind === listKind ? [fieldInvalid(`${at}.listKind`, listKind, 'kind and listKind may not be the same')] : []),
    ...each(shortNames, `${at}.shortNames`, (name, field) => invalidFor(field, name, checkDns1035Label(name))),
  ];
}

function versionsErrors(versions: readonly CustomResourceDefinitionVersion[]): Errors {
  const errors: FieldError[] = [];
  const stored = versions.filter(({ storage }) => storage).length;
  const names = new Set(versions.map(({ name }) => name));
  errors.push(
    ...each(versions, 'spec.versions', ({ name, schema, deprecated, deprecationWarning }, field) => [
      ...invalidFor(`${field}.name`, name, checkDns1035Label(name)),
      ...(schema?.openAPIV3Schema === undefined ? [fieldRequired(`${field}.schema.openAPIV3Schema`, 'schemas are required')] : []),
      ...(deprecationWarning !== undefined && deprecated !== true
        ? [fieldInvalid(`${field}.deprecationWarning`, deprecationWarning, 'can only be set for deprecated versions')]
        : []),
    ]),
  );
  if (names.size < versions.length) {
    errors.push(
      fieldInvalid(
        'spec.versions',
        versions.map(({ name }) => name),
        'must contain unique version names',
      ),
    );
  }
  if (stored !== 1) {
    errors.push(
      fieldInvalid(
        'spec.versions',
        versions.map(({ name }) => name),
        'must have exactly one version marked as storage version',
      ),
    );
  }
  return errors;
}

/** Group, plural, kind and scope identify stored objects; stored versions may not vanish. */
export function validateDefinitionUpdate({ spec, status }: CustomResourceDefinition, old: CustomResourceDefinition): Errors {
  const missing = (status?.storedVersions ?? []).filter((version) => !spec.versions.some(({ name }) => name === version));
  return [
    ...immutable('spec.group', spec.group, old.spec.group),
    ...immutable('spec.scope', spec.scope, old.spec.scope),
    ...immutable('spec.names.plural', spec.names.plural, old.spec.names.plural),
    ...immutable('spec.names.kind', spec.names.kind, old.spec.names.kind),
    ...missing.map((version) =>
      fieldInvalid(
        `status.storedVersions[${status?.storedVersions?.indexOf(version)}]`,
        version,
        `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`,
      ),
    ),
  ];
}
