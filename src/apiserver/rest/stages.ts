import type { AdmissionContext, KindDefinition } from '#apis/definition.ts';
import { fieldDuplicate, invalid, type FieldError } from '#apis/meta/field-error.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Schema } from '#apis/schema.ts';
import { compileRules, evaluateRules } from '#machinery/cel.ts';
import { StatusError } from '#apis/meta/status.ts';
import type { AdmissionOperation, AdmissionRequest } from '#apiserver/admission/admission.ts';
import type { FieldValidation } from '#apiserver/rest/write-options.ts';
import { lookUp, type ResourceCall } from '#apiserver/context.ts';
import { validateMetadata, validateMetadataUpdate } from '#apiserver/rest/metadata.ts';
import { deepClone, isObject, type JsonObject } from '#machinery/deep.ts';
import { decode, DecodeError, decodeFailure, strictDecodingError } from '#machinery/decode.ts';
import { validateSchema } from '#machinery/validate.ts';

/** One write before storage: the object as received or patched, and what it replaces. */
export interface Draft {
  readonly call: ResourceCall;
  /** Private; not yet held against its schema, but with sound metadata. */
  readonly object: KubeObject;
  readonly old: KubeObject | undefined;
  readonly subresource: string;
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** Findings of strict decoding made earlier. */
  readonly strictErrors?: readonly string[];
  /** What to answer when the object does not decode, if not the 400 of a body. */
  undecodable?(result: object, error: DecodeError): StatusError;
}

/** Keeps what a write has reserved (IP addresses, ports) until it is known whether it was done. */
export class Reservations {
  readonly #releases: ((written: boolean) => void)[] = [];

  add(release: (written: boolean) => void): void {
    this.#releases.push(release);
  }

  settle(written: boolean): void {
    for (const release of this.#releases.splice(0)) release(written);
  }
}

/**
 * Prepares, decodes, defaults, admits and validates a draft, in kube-apiserver's order, and returns the object to store.
 * Throws the StatusError that refuses it.
 */
export async function refine(draft: Draft, reservations: Reservations): Promise<KubeObject> {
  const { call } = draft;
  const context = admissionContext(draft);
  const object = decodeDraft(draft, context);
  const refined = { ...draft, object };
  const operation: AdmissionOperation = draft.old === undefined ? 'create' : 'update';
  const complete = () => {
    decode(object, call.served.version.schema, { custom: call.served.custom });
    call.served.definition.default?.(object, context);
  };
  const request = { ...requestFor(call, operation, refined, reservations), complete };
  try {
    call.served.definition.default?.(object, context);
    await call.context.admission.admit(request);
  } catch (error) {
    throw error instanceof StatusError ? error : (incomplete(refined) ?? error);
  }
  validate(refined, context);
  await call.context.admission.check(request);
  return object;
}

/**
 * Prepares and decodes. `prepare` sees the object before its types are known to be right (it rewrites shapes the schema no
 * longer has): a TypeError in it is the client's, and decoding usually says better what is wrong.
 */
function decodeDraft(draft: Draft, context: AdmissionContext): KubeObject {
  const { call, object, fieldValidation, strictErrors = [] } = draft;
  const { definition, version, custom } = call.served;
  let failure: unknown;
  try {
    definition.prepare?.(object, context);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    failure = error;
  }
  try {
    const decoded = decode(object, version.schema, { custom });
    if (failure instanceof TypeError) throw new DecodeError(failure.message, failure);
    if (failure !== undefined) throw failure;
    const findings = [...strictErrors, ...decoded.strictErrors];
    if (findings.length > 0 && fieldValidation === 'Strict') throw strictDecodingError(findings);
    if (fieldValidation === 'Warn') call.warnings.push(...findings);
    return decoded.value as unknown as KubeObject;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    if (draft.undecodable !== undefined) throw draft.undecodable(object, error);
    throw decodeFailure(error, definition.kind, { version: version.name, kind: definition.kind }, new Uint8Array());
  }
}

/** Defaulting and admission run before validation: one that trips over something required reports that it is missing. */
function incomplete({ call, object }: Draft): StatusError | undefined {
  const { definition, version } = call.served;
  const errors = validateSchema(object, version.schema);
  return errors.length === 0 ? undefined : invalid(definition.group, definition.kind, object.metadata.name ?? '', errors);
}

function validate({ call, object, old }: Draft, context: AdmissionContext): void {
  const { definition, version } = call.served;
  const errors: FieldError[] = [...validateMetadata(object, definition)];
  if (old !== undefined) errors.push(...validateMetadataUpdate(object, old));
  const structural = validateSchema(object, version.schema);
  const own = isKubernetesKind(definition) && structural.every(isHarmless) ? (definition.validate?.(object, context) ?? []) : undefined;
  if (own !== undefined) errors.push(...own, ...unsaid(structural, own));
  else if (structural.length > 0) errors.push(...structural);
  else errors.push(...(definition.validate?.(object, context) ?? []));
  if (structural.length === 0) errors.push(...ruleErrors(version.schema, object, old));
  if (errors.length > 0) throw invalid(definition.group, definition.kind, object.metadata.name ?? '', errors);
}

const isKubernetesKind = ({ group }: KindDefinition): boolean => !group.includes('.') || group.endsWith('.k8s.io');

/** Says nothing about types or what is missing: the kind's own rules can be asked too, and Kubernetes answers with all of them. */
const isHarmless = ({ type }: FieldError): boolean => type === 'FieldValueNotSupported' || type === 'FieldValueDuplicate';

/** Findings of the schema that the kind's own rules did not bring; a second element of the same name as Kubernetes puts it. */
function unsaid(structural: readonly FieldError[], own: readonly FieldError[]): FieldError[] {
  const said = new Set(own.map(({ field, type }) => `${type} ${field}`));
  return structural.map(asKubernetes).filter(({ field, type }) => !said.has(`${type} ${field}`));
}

function asKubernetes(error: FieldError): FieldError {
  const [, key, value] = /^Duplicate value: \{"(\w+)":("(?:[^"\\]|\\.)*"|\d+)\}$/.exec(error.message) ?? [];
  if (key === undefined || value === undefined) return error;
  return fieldDuplicate(`${error.field}.${key}`, JSON.parse(value));
}

const compiled = new WeakMap<Schema, { readonly rules: ReturnType<typeof compileRules>['rules'] }>();

function ruleErrors(schema: Schema, object: KubeObject, old: KubeObject | undefined): FieldError[] {
  let rules = compiled.get(schema);
  if (rules === undefined) {
    rules = compileRules(schema);
    compiled.set(schema, rules);
  }
  return evaluateRules(rules.rules, object, old);
}

/** What definitions may look at; every piece is plain data. */
function admissionContext({ call, old, subresource, dryRun }: Draft): AdmissionContext {
  return {
    operation: old === undefined ? 'create' : 'update',
    subresource,
    user: call.user,
    dryRun,
    now: call.now,
    ...(old === undefined ? {} : { old }),
    config: (namespace, name) => {
      const configMap = lookUp(call.context, '', 'configmaps', namespace, name) as { data?: Record<string, string> } | undefined;
      return configMap === undefined ? undefined : (configMap.data ?? {});
    },
    warn: (message) => call.warnings.push(message),
  };
}

/** The admission request of a call; also for deletions, which have no draft. */
export function requestFor(
  call: ResourceCall,
  operation: AdmissionOperation,
  { object, old, subresource, dryRun }: Pick<Draft, 'object' | 'old' | 'subresource' | 'dryRun'>,
  reservations: Reservations,
): AdmissionRequest {
  return {
    operation,
    served: call.served,
    subresource,
    namespace: call.served.definition.namespaced ? call.info.namespace : '',
    name: object.metadata.name ?? '',
    user: call.user,
    dryRun,
    now: call.now,
    object,
    old,
    warn: (message) => call.warnings.push(message),
    onSettled: (release) => reservations.add(release),
  };
}

/** A private copy of a frozen object, to become the next state. */
export function draftOf(object: KubeObject): KubeObject {
  return deepClone(object);
}

/**
 * As private as an object must be that is to be decoded: root and metadata. Decoding makes new ones of the parts that have types, so only
 * kinds without them, and kinds that rewrite older shapes before, need a copy of everything.
 */
export function undecodedCopy({ served }: ResourceCall, object: JsonObject): JsonObject {
  if (served.custom || served.definition.prepare !== undefined) return deepClone(object);
  const { metadata } = object;
  return isObject(metadata) ? { ...object, metadata: { ...metadata } } : { ...object };
}
