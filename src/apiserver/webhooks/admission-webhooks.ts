import type { MutatingWebhook, MutatingWebhookConfiguration } from '#apis/admissionregistration/v1/mutating-webhook-configuration.ts';
import type { ValidatingWebhook, ValidatingWebhookConfiguration } from '#apis/admissionregistration/v1/validating-webhook-configuration.ts';
import type { KindVersion } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { resourcePrefix } from '#apiserver/cache/watch-cache.ts';
import type { ServerContext } from '#apiserver/context.ts';
import { apiError } from '#apiserver/errors.ts';
import { convertTo } from '#apiserver/registry/kind-registry.ts';
import { postReview } from '#apiserver/webhooks/caller.ts';
import { expressionValues, unmetCondition } from '#apiserver/webhooks/conditions.ts';
import { destinationOf } from '#apiserver/webhooks/destination.ts';
import { matchedVersion } from '#apiserver/webhooks/matching.ts';
import { denial, reviewRequest, verdictOf, type Verdict } from '#apiserver/webhooks/review.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { deepClone, type JsonObject } from '#machinery/deep.ts';
import { applyJsonPatch } from '#machinery/json-patch.ts';

const group = 'admissionregistration.k8s.io';
const understood = ['v1'];

type Webhook = MutatingWebhook | ValidatingWebhook;

/** Asks the webhooks that MutatingWebhookConfigurations and ValidatingWebhookConfigurations name: by name of the configuration, in its order. */
export function admissionWebhooks(context: ServerContext): AdmissionPlugin {
  return {
    name: 'webhooks',
    admit: (request) => mutate(context, request),
    async check(request) {
      await Promise.all(validating(context).map((webhook) => ask(context, webhook, request, () => {})));
    },
  };
}

/** One after the other; then once more those that want to see what the later ones have changed. */
async function mutate(context: ServerContext, request: AdmissionRequest): Promise<void> {
  const webhooks = mutating(context);
  const seen: unknown[] = [];
  for (const webhook of webhooks) {
    await ask(context, webhook, request, (patch, version) => applyPatch(request, patch, version));
    seen.push(webhook.reinvocationPolicy === 'IfNeeded' ? deepClone(request.object) : undefined);
  }
  for (const [index, webhook] of webhooks.entries()) {
    if (webhook.reinvocationPolicy !== 'IfNeeded' || jsonEqual(seen[index], request.object)) continue;
    await ask(context, webhook, request, (patch, version) => applyPatch(request, patch, version));
  }
}

function mutating({ cache }: ServerContext): readonly MutatingWebhook[] {
  const plural = 'mutatingwebhookconfigurations';
  const all = Array.from(cache.resource(group, plural).range(resourcePrefix(group, plural)));
  return all.flatMap(({ object }) => (object as MutatingWebhookConfiguration).webhooks ?? []);
}

function validating({ cache }: ServerContext): readonly ValidatingWebhook[] {
  const plural = 'validatingwebhookconfigurations';
  const all = Array.from(cache.resource(group, plural).range(resourcePrefix(group, plural)));
  return all.flatMap(({ object }) => (object as ValidatingWebhookConfiguration).webhooks ?? []);
}

type OnPatch = (patch: readonly unknown[], version: KindVersion) => void;

/** Throws the StatusError of a refusal; a webhook that cannot be asked refuses, unless its failure policy is to be ignored. */
async function ask(context: ServerContext, webhook: Webhook, request: AdmissionRequest, onPatch: OnPatch): Promise<void> {
  const { name, rules = [], matchPolicy, namespaceSelector, objectSelector } = webhook;
  const constraints = { rules, ...defined({ matchPolicy, namespaceSelector, objectSelector }) };
  const version = matchedVersion(context, request, constraints);
  if (version === undefined) return;
  let verdict: Verdict | undefined;
  try {
    verdict = await review(context, webhook, request, version);
    if (verdict?.allowed === true && verdict.patch !== undefined && request.complete !== undefined) onPatch(verdict.patch, version);
  } catch (error) {
    const text = `failed calling webhook ${JSON.stringify(name)}: ${error instanceof Error ? error.message : String(error)}`;
    if (webhook.failurePolicy !== 'Ignore') throw apiError('internal', text, error);
    context.logger.warn('a webhook is ignored, as its failure policy says', { webhook: name, error: text });
    return;
  }
  for (const warning of verdict?.warnings ?? []) request.warn(warning);
  if (verdict?.allowed === false) throw denial(name, verdict);
  if (request.complete === undefined && (verdict?.patch?.length ?? 0) > 0) {
    const quoted = JSON.stringify(name);
    throw apiError('internal', `admission webhook ${quoted} attempted to modify the object, which is not supported for this operation`);
  }
}

/** Undefined when its conditions keep the webhook out. */
async function review(
  context: ServerContext,
  webhook: Webhook,
  request: AdmissionRequest,
  version: KindVersion,
): Promise<Verdict | undefined> {
  const reviewed = reviewRequest(request, version);
  if ((webhook.matchConditions ?? []).length > 0 && unmetCondition(webhook.matchConditions, expressionValues(reviewed)) !== undefined)
    return undefined;
  const spoken = webhook.admissionReviewVersions.find((one) => understood.includes(one));
  if (spoken === undefined) throw new Error('webhook does not accept known AdmissionReview versions (v1)');
  const apiVersion = `admission.k8s.io/${spoken}`;
  try {
    const destination = destinationOf(context.cache, webhook.clientConfig);
    const answer = await postReview(destination, { kind: 'AdmissionReview', apiVersion, request: reviewed }, webhook.timeoutSeconds ?? 10);
    return verdictOf(answer, apiVersion, reviewed['uid']);
  } catch (error) {
    throw new Error(`failed to call webhook: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** In place: the object of an admission request stays the same one. What the webhook may not touch is as it was. */
function applyPatch(request: AdmissionRequest, patch: readonly unknown[], version: KindVersion): void {
  const { definition, version: asked } = request.served;
  const object = request.object as unknown as JsonObject;
  const shown = convertTo(definition, request.object, version.name) as unknown as JsonObject;
  const patched = applyJsonPatch(deepClone(shown), patch) as unknown as KubeObject;
  const next = deepClone(convertTo(definition, patched, asked.name)) as unknown as JsonObject;
  for (const key of Object.keys(object)) delete object[key];
  Object.assign(object, next);
  request.complete?.();
}

function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
