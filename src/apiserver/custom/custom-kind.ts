import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { defineKind, type Column, type KindDefinition, type KindVersion, type ScalePaths } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Schema } from '#apis/schema.ts';
import { verbsOf } from '#apiserver/registry/kind-registry.ts';
import { compileJsonPath } from '#machinery/json-path.ts';

const columnTypes: Readonly<Record<string, Column['type']>> = {
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
  date: 'date',
  string: 'string',
};

/** The definition that serves a custom kind. On its way out it takes no new objects. */
export function kindOf(crd: CustomResourceDefinition): KindDefinition {
  const { group, names, scope, versions } = crd.spec;
  const storage = versions.find((version) => version.storage) ?? versions[0];
  const definition = defineKind<KubeObject>({
    group,
    kind: names.kind,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === 'Namespaced',
    versions: versions.map((version) => versionOf(version, `${group}/${version.name} ${names.kind}`)),
    storageVersion: storage?.name ?? 'v1',
    hasStatus: storage?.subresources?.status !== undefined,
    hasGeneration: true,
    ...scaleOf(storage),
    ...selectableOf(storage),
  });
  if (crd.metadata.deletionTimestamp === undefined) return definition;
  return { ...definition, verbs: verbsOf(definition).filter((verb) => verb !== 'create') };
}

function versionOf(version: CustomResourceDefinitionVersion, name: string): KindVersion {
  const { additionalPrinterColumns, deprecated, deprecationWarning, schema } = version;
  const warning = deprecationWarning ?? `${name} is deprecated`;
  return {
    name: version.name,
    schema: (schema?.openAPIV3Schema ?? { 'x-kubernetes-preserve-unknown-fields': true, type: 'object' }) as Schema,
    served: version.served,
    ...(additionalPrinterColumns === undefined ? {} : { columns: additionalPrinterColumns.map(columnOf) }),
    ...(deprecated === true ? { deprecationWarning: warning } : {}),
  };
}

function columnOf(column: NonNullable<CustomResourceDefinitionVersion['additionalPrinterColumns']>[number]): Column {
  return {
    name: column.name,
    type: columnTypes[column.type] ?? 'string',
    value: column.jsonPath,
    ...(column.format === undefined ? {} : { format: column.format }),
    ...(column.priority === undefined ? {} : { priority: column.priority }),
    ...(column.description === undefined ? {} : { description: column.description }),
  };
}

function scaleOf(version: CustomResourceDefinitionVersion | undefined): { scale?: ScalePaths } {
  const scale = version?.subresources?.scale;
  if (scale === undefined) return {};
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  return { scale: { specReplicasPath, statusReplicasPath, ...(labelSelectorPath === undefined ? {} : { labelSelectorPath }) } };
}

function selectableOf(version: CustomResourceDefinitionVersion | undefined): Pick<KindDefinition, 'selectableFields'> {
  const fields = (version?.selectableFields ?? []).map(({ jsonPath }) => [jsonPath.replace(/^\./, ''), compileJsonPath(jsonPath)] as const);
  if (fields.length === 0) return {};
  return {
    selectableFields: (object) => Object.fromEntries(fields.map(([name, read]) => [name, selectableText(read(object)[0])])),
  };
}

function selectableText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
