import type { Pod } from '#apis/core/v1/pod.ts';
import type { ResourceQuota } from '#apis/core/v1/resource-quota.ts';
import { forbidden } from '#apis/meta/status.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import type { CachedObject } from '#apiserver/cache/cached-object.ts';
import { encodeForStorage } from '#apiserver/cache/encoding.ts';
import { objectKeyOf } from '#apiserver/cache/watch-cache.ts';
import type { ServerContext } from '#apiserver/context.ts';
import { writeKey } from '#apiserver/rest/commit.ts';
import { amountsOf, type Amounts } from '#machinery/pod-resources.ts';
import { addQuantities, type Quantity } from '#apis/meta/quantity.ts';
import { exceeded, increase, inScope, isPods, limitedBy, listOf, unspecified, usageOf } from '#machinery/quota.ts';

/** Kinds of the core group whose changes can make a quota fuller; of everything else only the number counts. */
const growing = new Set(['services', 'persistentvolumeclaims']);

/**
 * Takes what an object uses from the quotas of its namespace before it is stored, as kube-apiserver does: their status counts at
 * once, so that many requests together cannot have more than there is. What is given back is the quota controller's.
 */
export function resourceQuotaAdmission(context: ServerContext): AdmissionPlugin {
  const turns = new Map<string, Promise<unknown>>();
  /** One at a time in a namespace: they all change the same objects. */
  const inTurn = async (namespace: string, work: () => Promise<void>): Promise<void> => {
    const turn = (turns.get(namespace) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => {});
    turns.set(namespace, settled);
    await turn.finally(() => {
      if (turns.get(namespace) === settled) turns.delete(namespace);
    });
  };
  return {
    name: 'ResourceQuota',
    async check(request) {
      if (!isCounted(request) || quotasOf(context, request.namespace).length === 0) return;
      const delta = deltaOf(request);
      if (delta.size === 0) return;
      await inTurn(request.namespace, () => takeAll(context, request, delta, inTurn));
    },
  };
}

function isCounted({ served, operation, subresource, namespace }: AdmissionRequest): boolean {
  if (namespace === '' || operation === 'delete') return false;
  const { group, plural } = served.definition;
  if (operation === 'create') return subresource === '';
  return group === '' && ((growing.has(plural) && subresource === '') || (plural === 'pods' && subresource === 'resize'));
}

function deltaOf({ served, object, old, now }: AdmissionRequest): Amounts {
  const nowMs = Date.parse(now);
  const before = old === undefined ? new Map<string, Quantity>() : usageOf(served.definition, old, nowMs);
  return increase(before, usageOf(served.definition, object, nowMs));
}

function quotasOf({ cache }: ServerContext, namespace: string): CachedObject[] {
  return [...cache.resource('', 'resourcequotas').range(objectKeyOf('', 'resourcequotas', namespace, ''))];
}

/** Refuses when one of the quotas does not have enough; otherwise takes from each. */
async function takeAll(
  context: ServerContext,
  request: AdmissionRequest,
  delta: Amounts,
  inTurn: (namespace: string, work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await context.cache.fresh();
  const taken = quotasOf(context, request.namespace).flatMap((cached) => {
    const requested = requestedOf(cached.object as ResourceQuota, request, delta);
    return requested.size === 0 ? [] : [{ cached, requested }];
  });
  if (request.dryRun || taken.length === 0) return;
  for (const { cached, requested } of taken) await charge(context, cached, requested);
  request.onSettled((written) => {
    if (written) return;
    const giveBack = async () => {
      for (const { cached, requested } of taken) await charge(context, cached, negated(requested));
    };
    inTurn(request.namespace, giveBack).catch((error: unknown) =>
      context.logger.warn('quota not given back until it is counted again', { error }),
    );
  });
}

/** What the request takes from this quota. 403 when that is too much, or cannot be told. */
function requestedOf(quota: ResourceQuota, request: AdmissionRequest, delta: Amounts): Amounts {
  const { metadata, spec, status } = quota;
  const { served, object, name } = request;
  const { group, plural } = served.definition;
  const refuse = (why: string) => forbidden(group, plural, name, why);
  if (!inScope(spec, served.definition, object)) return new Map();
  const hard = amountsOf(status?.hard);
  if (isPods(served.definition)) {
    const missing = unspecified(hard, (object as Pod).spec);
    if (missing !== undefined) throw refuse(`failed quota: ${metadata.name}: ${missing}`);
  }
  const requested = limitedBy(hard, delta);
  const unknown = [...requested.keys()].filter((one) => status?.used?.[one] === undefined).sort();
  if (unknown.length > 0) throw refuse(`status unknown for quota: ${metadata.name}, resources: ${unknown.join(',')}`);
  const over = exceeded(quota, requested);
  if (over !== undefined) throw refuse(over);
  return requested;
}

/** Adds to what the quota's status says is used; again from the newer state when somebody else was quicker. */
async function charge(context: ServerContext, from: CachedObject, amounts: Amounts): Promise<void> {
  for (;;) {
    const cached = context.cache.resource('', 'resourcequotas').get(from.key);
    if (cached === undefined) return;
    const quota = cached.object as ResourceQuota;
    const used = amountsOf(quota.status?.used);
    for (const [name, amount] of amounts) {
      const sum = addQuantities(used.get(name) ?? amount, used.has(name) ? amount : { ...amount, nanos: 0n });
      used.set(name, sum.nanos < 0n ? { ...sum, nanos: 0n } : sum);
    }
    const text = encodeForStorage({ ...quota, status: { ...quota.status, used: listOf(used) } } as ResourceQuota);
    if ((await writeKey(context.storage, cached.key, text, cached.revision)).ok) return;
    await context.cache.fresh();
  }
}

function negated(amounts: Amounts): Amounts {
  return new Map([...amounts].map(([name, amount]) => [name, { ...amount, nanos: -amount.nanos }]));
}
