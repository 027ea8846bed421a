import { configMaps, type ConfigMap } from '#apis/core/v1/config-map.ts';
import { namespaces, type Namespace } from '#apis/core/v1/namespace.ts';
import { serviceAccounts, type ServiceAccount } from '#apis/core/v1/service-account.ts';
import { isReason } from '#apis/meta/status.ts';
import { done, type ControllerModule } from '#controller/controller.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';

const accountName = 'default';
const authorityName = 'kube-root-ca.crt';
const authorityNote = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
};

/** Every namespace has the account its pods run as by default, and the certificate by which they know the API server. */
export function namespaceDefaultsController(authority: string): ControllerModule<Namespace> {
  return {
    name: 'namespace-defaults-controller',
    setup({ informers, client }, enqueue) {
      const accounts = informers.of(serviceAccounts, { fieldSelector: `metadata.name=${accountName}` });
      const maps = informers.of(configMaps, { fieldSelector: `metadata.name=${authorityName}` });
      accounts.on(({ type, object }) => {
        if (type === 'deleted') enqueue.key(object.metadata.namespace ?? '');
      });
      maps.on(({ type, object }) => {
        if (type !== 'added') enqueue.key(object.metadata.namespace ?? '');
      });
      return {
        resource: namespaces,
        async reconcile({ metadata: { name = '', deletionTimestamp } }) {
          if (deletionTimestamp !== undefined) return done;
          if (accounts.get(name, accountName) === undefined) {
            await tolerantly(client.of(serviceAccounts).create({ metadata: { name: accountName, namespace: name } } as ServiceAccount));
          }
          const data = { 'ca.crt': authority };
          const map = maps.get(name, authorityName);
          const metadata = { name: authorityName, namespace: name, annotations: authorityNote };
          if (map === undefined) await tolerantly(client.of(configMaps).create({ metadata, data } as ConfigMap));
          else if (!semanticEqual(map.data, data)) await client.of(configMaps).update({ ...map, data });
          return done;
        },
      };
    },
  };
}

/** Somebody else was quicker, or the namespace has begun to go: both are as good. */
async function tolerantly(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!isReason(error, 'AlreadyExists') && !isReason(error, 'Forbidden') && !isReason(error, 'NotFound')) throw error;
  }
}
