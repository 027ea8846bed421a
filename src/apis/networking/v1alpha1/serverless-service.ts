import { defineKind, resourceOf } from '#apis/definition.ts';
import { readyColumns, statusProperties, type KnativeStatus } from '#apis/knative/status.ts';
import { objectMetaSchema, type KubeObject } from '#apis/meta/object.ts';
import { networkingGroup } from '#apis/networking/v1alpha1/ingress.ts';
import { enumeration, int32, object, required, string } from '#apis/schema.ts';

const objectRefSchema = object(null, {
  apiVersion: required(string()),
  kind: required(string()),
  name: required(string()),
  namespace: string(),
});

export const serverlessServiceSchema = object('dev.knative.networking.v1alpha1.ServerlessService', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object(null, {
    mode: enumeration(['Serve', 'Proxy']),
    objectRef: objectRefSchema,
    protocolType: string(),
    numActivators: int32(),
  }),
  status: object(null, { ...statusProperties, serviceName: string(), privateServiceName: string() }),
});

/** Ties a revision's public Service to its pods (Serve) or to the activator's place (Proxy). */
export interface ServerlessService extends KubeObject {
  spec?: {
    mode?: 'Serve' | 'Proxy';
    objectRef?: { apiVersion: string; kind: string; name: string; namespace?: string };
    protocolType?: string;
    numActivators?: number;
  };
  status?: KnativeStatus & { serviceName?: string; privateServiceName?: string };
}

export const serverlessServiceDefinition = defineKind<ServerlessService>({
  group: networkingGroup,
  kind: 'ServerlessService',
  plural: 'serverlessservices',
  shortNames: ['sks'],
  categories: ['knative-internal', 'networking'],
  versions: [
    {
      name: 'v1alpha1',
      schema: serverlessServiceSchema,
      served: true,
      columns: [
        { name: 'Mode', type: 'string', value: '.spec.mode' },
        { name: 'Activators', type: 'integer', value: '.spec.numActivators' },
        { name: 'ServiceName', type: 'string', value: '.status.serviceName' },
        { name: 'PrivateServiceName', type: 'string', value: '.status.privateServiceName' },
        ...readyColumns,
      ],
    },
  ],
});
export const serverlessServices = resourceOf(serverlessServiceDefinition);
