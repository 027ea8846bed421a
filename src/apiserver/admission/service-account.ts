import { randomInt } from 'node:crypto';
import type { Pod, PodSpec } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { forbidden } from '#apis/meta/status.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { lookUp, type ServerContext } from '#apiserver/context.ts';

interface ServiceAccount extends KubeObject {
  automountServiceAccountToken?: boolean;
  imagePullSecrets?: { name?: string }[];
}

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumePrefix = 'kube-api-access-';
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
/** A little more than an hour, as Kubernetes: it tells tokens of this volume from others. */
const tokenSeconds = 3607;

/**
 * Every pod runs as a ServiceAccount, `default` unless it names one, and finds that account's token, the cluster's CA and its
 * namespace in a volume. `ensureDefault` makes a missing `default` account: a pod may be quicker than the controller that
 * gives new namespaces theirs.
 */
export function serviceAccountAdmission(context: ServerContext, ensureDefault: (namespace: string) => Promise<void>): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    async admit(request) {
      const { served, operation, subresource, namespace, name } = request;
      if (served.definition.group !== '' || served.definition.plural !== 'pods' || operation !== 'create' || subresource !== '') return;
      // Nobody runs it: it needs no account (kube-apiserver's plug-in does the same).
      if (isMirror(request)) return;
      const { spec } = request.object as Pod;
      const accountName = isGiven(spec.serviceAccountName) ? (spec.serviceAccountName ?? '') : 'default';
      spec.serviceAccountName = accountName;
      spec.serviceAccount = accountName;
      const find = () => lookUp(context, '', 'serviceaccounts', namespace, accountName) as ServiceAccount | undefined;
      if (find() === undefined && accountName === 'default') await ensureDefault(namespace);
      const account = find();
      if (account === undefined) {
        const text = `error looking up service account ${namespace}/${accountName}: serviceaccount ${JSON.stringify(accountName)} not found`;
        throw forbidden('', 'pods', name, text);
      }
      if ((spec.imagePullSecrets ?? []).length === 0 && account.imagePullSecrets !== undefined)
        spec.imagePullSecrets = account.imagePullSecrets.map((secret) => ({ ...secret }));
      const mounts = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
      if (mounts) mountToken(spec);
    },
  };
}

function isGiven(text: string | undefined): boolean {
  return text !== undefined && text !== '';
}

function isMirror({ object }: AdmissionRequest): boolean {
  return object.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
}

/** Mounts the volume into each container that has nothing at that path yet. */
function mountToken(spec: PodSpec): void {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const bare = containers.filter(({ volumeMounts = [] }) => !volumeMounts.some((mount) => mount.mountPath === mountPath));
  if (bare.length === 0) return;
  const existing = (spec.volumes ?? []).find(({ name }) => name?.startsWith(volumePrefix));
  const name = existing?.name ?? volumePrefix + Array.from({ length: 5 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('');
  if (existing === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
  for (const container of bare) container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }];
}

function tokenVolume(name: string): NonNullable<PodSpec['volumes']>[number] {
  return {
    name,
    projected: {
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        // Optional, unlike Kubernetes': a pod must not wait for the controller that publishes the CA.
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }], optional: true } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  };
}
