/** What the kubectl tests apply. */

export const gadgetDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', shortNames: ['gg'], categories: ['all'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
        additionalPrinterColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { size: { type: 'integer', minimum: 0, default: 1, description: 'How many parts it has.' } },
              },
              status: { type: 'object', properties: { phase: { type: 'string' }, size: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
};

export function gadget(name: string, size: number): object {
  return { apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name }, spec: { size } };
}

export function service(name: string, labels: Readonly<Record<string, string>> = {}): object {
  const template = { spec: { containers: [{ image: 'test.local/none:1' }] } };
  return { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name, labels }, spec: { template } };
}

/** A Deployment `shop` whose one container `web` prints "ready" and stays, and ends at once when asked. */
export function shop(image: string): object {
  const labels = { app: 'shop' };
  const command = ['sh', '-c', 'echo ready; trap "exit 0" TERM; while true; do sleep 0.2; done'];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop', labels },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image, command }] } },
    },
  };
}
