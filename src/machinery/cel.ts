import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import type { Schema, ValidationRule } from '#apis/schema.ts';
import {
  CelBudgetError,
  CelError,
  compileCel,
  noValue,
  objectBudget,
  someValue,
  type CelBudget,
  type CelProgram,
} from './cel-environment.ts';
import { CelTypes, type CelType } from './cel-types.ts';
import { isObject, own, type JsonObject, type JsonValue } from './deep.ts';
import { itemElement } from './field-paths.ts';

/** The rules of a schema, ready to run: one node for each place that has rules at or below it. */
export interface CompiledRules {
  readonly schema: Schema;
  readonly type: CelType;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, CompiledRules>;
  readonly values: CompiledRules | undefined;
  readonly items: CompiledRules | undefined;
}

interface CompiledRule {
  readonly rule: ValidationRule;
  readonly program: CelProgram;
  readonly message: CelProgram | undefined;
  /** Runs only where there is an old value to compare with. */
  readonly isTransition: boolean;
}

export interface RuleCompilation {
  /** Undefined when the schema has no rule. */
  readonly rules: CompiledRules | undefined;
  /** What does not compile, for the creation of a CustomResourceDefinition; rules that do are still in `rules`. */
  readonly errors: readonly FieldError[];
}

/** Compiles and type-checks every `x-kubernetes-validations` of a kind's schema; `path` leads the errors' fields. */
export function compileRules(schema: Schema, path = 'openAPIV3Schema'): RuleCompilation {
  if (!hasRules(schema)) return { rules: undefined, errors: [] };
  const errors: FieldError[] = [];
  const rules = compileNode(schema, new CelTypes(), path, true, errors);
  return { rules, errors };
}

/** True when a rule stands anywhere in the schema. */
function hasRules(schema: Schema): boolean {
  if ((schema['x-kubernetes-validations']?.length ?? 0) > 0) return true;
  if (schema.items !== undefined && hasRules(schema.items)) return true;
  if (typeof schema.additionalProperties === 'object' && hasRules(schema.additionalProperties)) return true;
  for (const property of Object.values(schema.properties ?? {})) if (hasRules(property)) return true;
  return false;
}

function compileNode(schema: Schema, types: CelTypes, path: string, isRoot: boolean, errors: FieldError[]): CompiledRules {
  const type = types.typeOf(schema, isRoot || schema['x-kubernetes-embedded-resource'] === true);
  const rules: CompiledRule[] = [];
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries()) {
    const compiled = compileRule(rule, type, types, `${path}.x-kubernetes-validations[${index}]`, errors);
    if (compiled !== undefined) rules.push(compiled);
  }
  const properties = new Map<string, CompiledRules>();
  for (const [key, property] of Object.entries(schema.properties ?? {}))
    if (hasRules(property)) properties.set(key, compileNode(property, types, `${path}.properties[${key}]`, false, errors));
  const { additionalProperties: others, items } = schema;
  return {
    schema,
    type,
    rules,
    properties,
    values:
      typeof others === 'object' && hasRules(others)
        ? compileNode(others, types, `${path}.additionalProperties`, false, errors)
        : undefined,
    items: items !== undefined && hasRules(items) ? compileNode(items, types, `${path}.items`, false, errors) : undefined,
  };
}

function compileRule(rule: ValidationRule, type: CelType, types: CelTypes, path: string, errors: FieldError[]): CompiledRule | undefined {
  if (typeof rule.rule !== 'string' || rule.rule.trim() === '') {
    errors.push(fieldRequired(`${path}.rule`, 'rule is not specified'));
    return undefined;
  }
  const variables = { self: type.name, oldSelf: rule.optionalOldSelf === true ? `optional<${type.name}>` : type.name };
  const compile = (expression: string, expected: string, field: string): CelProgram | undefined => {
    try {
      const program = compileCel(types.environment, expression, variables);
      if (program.type === expected || program.type === 'dyn') return program;
      errors.push(fieldInvalid(`${path}.${field}`, expression, `compilation failed: must evaluate to a ${expected}`));
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      errors.push(fieldInvalid(`${path}.${field}`, expression, `compilation failed: ${error.message}`));
    }
    return undefined;
  };
  const program = compile(rule.rule, 'bool', 'rule');
  const message = rule.messageExpression === undefined ? undefined : compile(rule.messageExpression, 'string', 'messageExpression');
  if (program === undefined) return undefined;
  return { rule, program, message, isTransition: mentionsOldSelf(rule.rule) && rule.optionalOldSelf !== true };
}

function mentionsOldSelf(rule: string): boolean {
  return /(?<![\w.])oldSelf\b/.test(rule.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""'));
}

/**
 * Findings of the rules on an object, in Kubernetes' wording. Transition rules (those naming `oldSelf`) run where the old object
 * has the same value to compare with. All rules of one object share a budget; once it is spent no more run, and that is a finding.
 */
export function evaluateRules(compiled: CompiledRules | undefined, object: object, old?: object): FieldError[] {
  if (compiled === undefined) return [];
  const run: Run = { errors: [], budget: { expression: 0, total: objectBudget } };
  walk(compiled, object as JsonObject, old as JsonObject | undefined, '', run);
  return run.errors;
}

interface Run {
  readonly errors: FieldError[];
  readonly budget: CelBudget;
}

function walk(node: CompiledRules, value: JsonValue, old: JsonValue | undefined, path: string, run: Run): void {
  if (value === null || run.budget.total < 0) return;
  if (node.rules.length > 0) runRules(node, value, old ?? undefined, path, run);
  if (isObject(value)) {
    const before = isObject(old) ? old : undefined;
    for (const [key, inner] of node.properties) {
      const member = own(value, key);
      if (member !== undefined) walk(inner, member, own(before, key), path === '' ? key : `${path}.${key}`, run);
    }
    if (node.values !== undefined)
      for (const [key, member] of Object.entries(value))
        if (!Object.hasOwn(node.schema.properties ?? {}, key)) walk(node.values, member, own(before, key), `${path}[${key}]`, run);
  } else if (Array.isArray(value) && node.items !== undefined) {
    const before = oldItems(node.schema, old);
    for (const [index, item] of value.entries())
      walk(node.items, item, before.get(itemElement(item, node.schema)), `${path}[${index}]`, run);
  }
}

/** Items of the old list by key; only those of list maps can be told apart. */
function oldItems(schema: Schema, old: JsonValue | undefined): Map<string, JsonValue> {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return new Map();
  return new Map(old.map((item) => [itemElement(item, schema), item]));
}

function runRules(node: CompiledRules, value: JsonValue, old: JsonValue | undefined, path: string, run: Run): void {
  const self = node.type.convert(value);
  if (self === undefined) return;
  const oldSelf = old === undefined ? undefined : node.type.convert(old);
  for (const compiled of node.rules) {
    if (compiled.isTransition && oldSelf === undefined) continue;
    const optionalOld = oldSelf === undefined ? noValue : someValue(oldSelf);
    const variables = { self, oldSelf: compiled.rule.optionalOldSelf === true ? optionalOld : oldSelf };
    try {
      if (compiled.program.run(variables, run.budget) !== true) run.errors.push(failure(node, compiled, variables, path, run));
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      run.errors.push(fieldInvalid(path, typeOfValue(node.schema), evaluationText(error, compiled.rule, run)));
      if (run.budget.total < 0) return;
    }
  }
}

function evaluationText(error: CelError, { rule }: ValidationRule, run: Run): string {
  if (!(error instanceof CelBudgetError)) return `${error.message} evaluating rule: ${rule}`;
  if (run.budget.total < 0) return 'validation failed due to running out of cost budget, no further validation rules will be run';
  return `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${rule}`;
}

function failure(
  node: CompiledRules,
  { rule, message }: CompiledRule,
  variables: Record<string, unknown>,
  path: string,
  run: Run,
): FieldError {
  const text =
    expressedMessage(message, variables, run) ??
    (rule.message === undefined || rule.message === '' ? `failed rule: ${rule.rule.trim()}` : rule.message);
  const field = `${path}${rule.fieldPath ?? ''}`.replace(/^\./, '');
  const value = typeOfValue(node.schema);
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return fieldForbidden(field, text);
    case 'FieldValueRequired':
      return fieldRequired(field, text);
    case 'FieldValueDuplicate':
      return fieldDuplicate(field, value);
    default:
      return fieldInvalid(field, value, text);
  }
}

/** The text of a message expression; undefined where it fails or gives no usable line, so that the plain message stands in. */
function expressedMessage(program: CelProgram | undefined, variables: Record<string, unknown>, run: Run): string | undefined {
  if (program === undefined) return undefined;
  try {
    const text = program.run(variables, run.budget);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text.trim() : undefined;
  } catch (error) {
    if (error instanceof CelError) return undefined;
    throw error;
  }
}

/** What Kubernetes prints as the value: the type of the schema, not the value itself. */
function typeOfValue(schema: Schema): string {
  return schema.type ?? 'object';
}
