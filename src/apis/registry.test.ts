import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteOptionsSchema } from '#apis/meta/delete-options.ts';
import { builtinKinds, subresourceKinds } from '#apis/registry.ts';
import { protobufEmbedded, protobufFields, schemaName, type Schema } from '#apis/schema.ts';

/** Every schema below the built-in kinds, with the path it was first met at. */
function allSchemas(): Map<Schema, string> {
  const found = new Map<Schema, string>();
  const visit = (schema: Schema | undefined, path: string) => {
    if (schema === undefined || found.has(schema)) return;
    found.set(schema, path);
    for (const [key, child] of Object.entries(schema.properties ?? {})) visit(child, `${path}.${key}`);
    visit(schema.items, `${path}[]`);
    if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties, `${path}{}`);
  };
  for (const { kind, versions } of [...builtinKinds, ...subresourceKinds]) for (const { schema } of versions) visit(schema, kind);
  visit(deleteOptionsSchema, 'DeleteOptions');
  return found;
}

const schemas = allSchemas();
const numbersOf = (schema: Schema): Readonly<Record<string, number | readonly [number, number]>> => ({
  ...schema[protobufFields],
  ...schema[protobufEmbedded],
});
/** All kinds whose bodies kubectl sends as protobuf (create, drain, autoscale, auth). */
const protobufKinds = [
  'Namespace',
  'ConfigMap',
  'Secret',
  'ServiceAccount',
  'Pod',
  'PodTemplate',
  'Service',
  'Event',
  'Node',
  'ResourceQuota',
  'Deployment',
  'Job',
  'CronJob',
  'Role',
  'ClusterRole',
  'RoleBinding',
  'ClusterRoleBinding',
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
  'Ingress',
  'PriorityClass',
  'Lease',
  'SelfSubjectAccessReview',
  'SelfSubjectRulesReview',
  'SelfSubjectReview',
  'Eviction',
  'TokenRequest',
];

describe('the registry of built-in kinds', () => {
  it('names each resource, kind and short name once in its group', () => {
    const names = builtinKinds.map(({ group, plural }) => `${group}/${plural}`);
    assert.equal(new Set(names).size, names.length);
    const kinds = builtinKinds.map(({ group, kind }) => `${group}/${kind}`);
    assert.equal(new Set(kinds).size, kinds.length);
    const short = builtinKinds.filter(({ group }) => group !== 'events.k8s.io').flatMap(({ shortNames }) => shortNames);
    assert.equal(new Set(short).size, short.length);
  });

  it('starts with the core group and keeps groups together', () => {
    const groups = builtinKinds.map(({ group }) => group);
    assert.equal(groups[0], '');
    const runs = groups.filter((group, index) => group !== groups[index - 1]);
    assert.equal(runs.length, new Set(groups).size);
  });

  it('gives every object schema of a kind its OpenAPI name', () => {
    for (const { kind, versions } of builtinKinds) {
      for (const { schema } of versions) assert.match(schema[schemaName] ?? '', new RegExp(`^io\\.k8s\\..*\\.v\\d\\.${kind}$`));
    }
  });

  it('merges lists by keys their items have', () => {
    for (const [schema, path] of schemas) {
      for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
        assert.ok(schema.items?.properties?.[key] !== undefined, `${path}: no ${key}`);
      }
    }
  });

  it('has defaults that are allowed values', () => {
    for (const [schema, path] of schemas) {
      if (schema.default !== undefined && schema.enum !== undefined) assert.ok(schema.enum.includes(schema.default), path);
    }
  });

  it('numbers the protobuf fields of a message completely and each once', () => {
    const reached = new Set<Schema>();
    const visit = (schema: Schema | undefined, path: string) => {
      if (schema === undefined || reached.has(schema) || path.includes('JSONSchemaProps')) return;
      reached.add(schema);
      const numbers = numbersOf(schema);
      const given = Object.values(numbers).map(String);
      assert.equal(new Set(given).size, given.length, path);
      for (const [key, child] of Object.entries(schema.properties ?? {})) {
        const inlined = key === 'apiVersion' || key === 'kind' || path.endsWith('nodeAllocatableResourceClaimStatuses[]');
        assert.ok(numbers[key] !== undefined || inlined, `${path}.${key} has no number`);
        visit(child, `${path}.${key}`);
      }
      visit(schema.items, `${path}[]`);
    };
    const kinds = [...builtinKinds, ...subresourceKinds].filter(({ kind }) => protobufKinds.includes(kind));
    assert.equal(new Set(kinds.map(({ kind }) => kind)).size, protobufKinds.length);
    for (const { kind, versions } of kinds) for (const { schema } of versions) visit(schema, kind);
    visit(deleteOptionsSchema, 'DeleteOptions');
  });

  it('has columns with names of their own', () => {
    for (const { kind, versions } of builtinKinds) {
      const names = (versions[0]?.columns ?? []).map(({ name }) => name);
      assert.equal(new Set(names).size, names.length, kind);
    }
  });
});
